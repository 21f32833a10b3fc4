/**
 * A Solidity library of one verification key, for contracts that act on what its model said: the digests to pin,
 * and a reader for each public tensor, as an integer and as a real number. CountersignWords unpacks the words.
 *
 * Names of tensors are text of strangers. In comments they are printable ASCII on one line. Identifiers are made
 * of their letters and digits and always end in a word of ours (`LOGITS_BITS`, `logitsAt`), so none is reserved,
 * and none is another's: see `namesFor`.
 */
import { checkOptions, checkText, checkThing } from "../arguments.js"
import { escapedJson } from "../errors.js"
import {
  count,
  inputVisibility,
  type Layout,
  outputVisibility,
  publicInputs,
  publicOutputs,
  type TensorLayout,
} from "../statement/layout.js"
import { describeProvenance, type Provenance } from "../statement/provenance.js"
import { exactFraction } from "../statement/values.js"
import { elementsPerWord, outputWordCount, wordCount, wordsOfTensor } from "../statement/words.js"
import { type VerificationKey, verifierOf } from "../systems/verifiers.js"
import { keyDigest } from "./key.js"
import { type CallOptions, checkDev } from "./solidity.js"

const wordsFile = "countersign/contracts/CountersignWords.sol"

/** Real numbers are given in units of 1e-18. */
const unit = 10n ** 18n

/** Names that the library itself uses. */
const ours = [
  "KEY",
  "MODEL",
  "DEV",
  "WORDS",
  "PTAU",
  "CONTRIBUTORS",
  "TRANSCRIPT",
  "CountersignWords",
  "PlonkVerifier",
  "PlonkInference",
  "FflonkVerifier",
  "FflonkInference",
  "IndexOutOfRange",
]

/** Most letters of a tensor's name that go into identifiers. */
const maxLetters = 64

interface PublicTensor extends TensorLayout {
  readonly side: "output" | "input"
  /** Where it begins: a word of all words (`mirage`), or an element of its side (`groth16`). */
  readonly first: number
}

/** What the identifiers of a tensor begin with: of constants, and of functions. */
interface Names {
  readonly constant: string
  readonly function: string
}

/**
 * The library as Solidity source. It imports `countersign/contracts/CountersignWords.sol`, unless statements of the
 * key's proof system are plain integers.
 * @param name what it is called, made into an identifier that begins with a capital letter
 * @throws UsageError for a key that somebody can forge for unless it is allowed; FileError on a malformed key
 */
export function solidityLibrary(key: VerificationKey, name: string, options: CallOptions = {}): string {
  checkThing("verificationKey", key, "key")
  checkText(name, "name")
  checkOptions(options)
  const digest = keyDigest(key)
  const dev = checkDev(key, options)
  const warning = key.setup === "dev" ? "THIS IS A DEVELOPMENT KEY" : "NOBODY CONTRIBUTED TO THIS KEY"
  const { packed } = verifierOf(key.proofSystem).solidity
  const tensors = publicTensors(key.layout, packed)
  const names = namesFor(tensors)
  return `${[
    "// SPDX-License-Identifier: MIT",
    "pragma solidity ^0.8.4;",
    ...(packed ? ["", `import {CountersignWords} from ${JSON.stringify(wordsFile)};`] : []),
    "",
    `/// @notice A verification key of the proof system ${key.proofSystem}, and how to read what its model said.`,
    "/// @dev    Written by `countersign export solidity`. A reader says what stands in its arguments: verify them first,",
    "///         under KEY. Real numbers are in units of 1e-18, cut off towards zero.",
    ...(dev
      ? [`///         ${warning}: receipts can be forged, and only \`verifyDevInference\` takes it.`]
      : []),
    `library ${libraryName(name)} {`,
    "    /// The element does not exist.",
    "    error IndexOutOfRange(uint256 count, uint256 index);",
    "",
    "    /// Digest of the key, its name at the verifier.",
    `    bytes32 internal constant KEY = ${digest};`,
    "    /// Digest of the integer model.",
    `    bytes32 internal constant MODEL = ${key.model};`,
    "    /// Whether somebody can forge for the key, so that only `verifyDevInference` takes it.",
    `    bool internal constant DEV = ${dev};`,
    ...provenanceLines(key.setup),
    ...(packed ? wordLines(key.layout) : []),
    ...tensors.flatMap((tensor, i) => [
      "",
      ...constantLines(tensor, names[i], packed),
      "",
      ...readerLines(tensor, names[i], packed),
    ]),
    "}",
  ].join("\n")}\n`
}

/** Text as a name of a library. */
export function libraryName(text: string): string {
  checkText(text, "text")
  const name = letters(text).map(capital).join("").slice(0, maxLetters)
  const legal = /^[A-Z]/.test(name) ? name : `Model${name}`
  return ours.includes(legal) ? `${legal}Library` : legal
}

function publicTensors(layout: Layout, packed: boolean): PublicTensor[] {
  const placed = (
    side: "output" | "input",
    shown: readonly TensorLayout[],
    start: number,
  ): PublicTensor[] => {
    let first = start
    return shown.map((tensor) => {
      const at = { ...tensor, side, first }
      first += packed ? wordsOfTensor(count(tensor.shape), tensor.bits) : count(tensor.shape)
      return at
    })
  }
  return [
    ...placed("output", publicOutputs(layout), 0),
    ...placed("input", publicInputs(layout), packed ? outputWordCount(layout) : 0),
  ]
}

const letters = (text: string): string[] => text.split(/[^A-Za-z0-9]+/).filter((part) => part !== "")
const capital = (word: string): string => word.slice(0, 1).toUpperCase() + word.slice(1)

/**
 * Names that differ from each other without regard to case and underscores. Then no two identifiers are equal:
 * they end in words of which none ends in another (`_LO`, `_BITS` …, `At`, `AsReal`), so equal ones would have
 * equal beginnings.
 */
function namesFor(tensors: readonly PublicTensor[]): Names[] {
  const taken = new Set<string>()
  const copies = new Map<string, number>()
  return tensors.map(({ name, side }) => {
    const parts = letters(name.slice(0, maxLetters))
    if (side === "input") parts.unshift("input")
    else if (parts.length === 0 || /^[0-9]/.test(parts[0])) parts.unshift("tensor")
    const plain = parts.join("").toLowerCase()
    let copy = copies.get(plain) ?? 1
    while (taken.has(copy === 1 ? plain : `${plain}${copy}`)) copy++
    copies.set(plain, copy + 1)
    if (copy > 1) parts.push(`${copy}`)
    taken.add(parts.join("").toLowerCase())
    const camel = parts.map(capital).join("")
    return {
      constant: parts.join("_").toUpperCase(),
      function: camel.slice(0, 1).toLowerCase() + camel.slice(1),
    }
  })
}

const number = (name: string, type: "uint256" | "int256", value: number | bigint): string =>
  `    ${type} internal constant ${name} = ${value};`

/** What a key says of its ceremony. Names go into no `///`, where `@` means something. */
function provenanceLines(setup: Provenance): string[] {
  if (typeof setup === "string") return []
  const powers = [
    `    // made by ${ascii(describeProvenance(setup))}`,
    "    /// BLAKE2b-512 of its powers of tau.",
    `    bytes internal constant PTAU = hex"${setup.ptau.slice(2)}";`,
  ]
  if (!("transcript" in setup)) return powers
  const { contributors, transcript } = setup
  return [
    ...powers,
    "    /// How many people contributed; the beacon is none of them.",
    number("CONTRIBUTORS", "uint256", contributors.length),
    "    /// Digest of its transcript.",
    `    bytes32 internal constant TRANSCRIPT = ${transcript};`,
  ]
}

function wordLines(layout: Layout): string[] {
  const outputs = outputWordCount(layout)
  return [
    "    /// Words of a statement.",
    number("WORDS", "uint256", wordCount(layout)),
    ...(outputVisibility(layout) === "committed"
      ? [
          `    /// The word that commits to all outputs${publicOutputs(layout).length > 0 ? " that are not public" : ""}.`,
          number("OUTPUT_COMMITMENT_WORD", "uint256", outputs - 1),
        ]
      : []),
    ...(inputVisibility(layout) === "committed"
      ? ["    /// The word that commits to all inputs.", number("INPUT_COMMITMENT_WORD", "uint256", outputs)]
      : []),
  ]
}

function constantLines(tensor: PublicTensor, { constant }: Names, packed: boolean): string[] {
  const { name, side, shape, scale, lo, bits, first } = tensor
  const fraction = fixedPoint(tensor)
  return [
    `    // ${side} ${ascii(name)}, shape [${shape.join(", ")}]: an integer v from LO on, of BITS bits, stands for v * ${scale}`,
    number(`${constant}_COUNT`, "uint256", count(shape)),
    number(`${constant}_LO`, "int256", lo),
    number(`${constant}_BITS`, "uint256", bits),
    ...(packed
      ? [
          number(`${constant}_FIRST_WORD`, "uint256", first),
          number(`${constant}_PER_WORD`, "uint256", elementsPerWord(bits)),
        ]
      : [number(`${constant}_FIRST`, "uint256", first)]),
    ...(fraction === null
      ? ["    // no real numbers: this scale is out of reach of 256 bits in units of 1e-18"]
      : [
          number(`${constant}_SCALE_NUMERATOR`, "int256", fraction.numerator),
          number(`${constant}_SCALE_DENOMINATOR`, "int256", fraction.denominator),
        ]),
  ]
}

function readerLines(tensor: PublicTensor, names: Names, packed: boolean): string[] {
  const { constant } = names
  const list = packed ? "words" : `${tensor.side}s`
  const parameters = `${packed ? "uint256" : "int256"}[] calldata ${list}, uint256 index`
  const integer = `${names.function}At`
  const value = packed
    ? `CountersignWords.valueAt(words, ${constant}_FIRST_WORD, ${constant}_BITS, ${constant}_LO, index)`
    : `${list}[${constant}_FIRST + index]`
  const reader = (name: string, body: readonly string[]): string[] => [
    `    function ${name}(${parameters}) internal pure returns (int256) {`,
    ...body.map((line) => `        ${line}`),
    "    }",
  ]
  const real = `(${integer}(${list}, index) * ${constant}_SCALE_NUMERATOR * 1e18) / ${constant}_SCALE_DENOMINATOR`
  return [
    "    /// Element `index`, row-major.",
    ...reader(integer, [
      `if (index >= ${constant}_COUNT) revert IndexOutOfRange(${constant}_COUNT, index);`,
      `return ${value};`,
    ]),
    ...(fixedPoint(tensor) === null
      ? []
      : [
          "",
          "    /// The real number that it stands for, in units of 1e-18.",
          ...reader(`${names.function}AsReal`, [`return ${real};`]),
        ]),
  ]
}

/**
 * A scale as the fraction that it is exactly, if every integer of the tensor times numerator and unit, and the
 * denominator, fit into int256.
 */
function fixedPoint({ scale, lo, bits }: TensorLayout): { numerator: bigint; denominator: bigint } | null {
  const { numerator, denominator } = exactFraction(scale)
  const [least, most] = [BigInt(lo), BigInt(lo) + 2n ** BigInt(bits)]
  const largest = -least > most ? -least : most
  const limit = 2n ** 255n
  return denominator < limit && largest * numerator * unit < limit ? { numerator, denominator } : null
}

/** A string in quotes, of printable ASCII alone: nothing in it ends a comment that runs to the end of the line. */
const ascii = (text: string): string => escapedJson(text, /[^\x20-\x7e]/g)
