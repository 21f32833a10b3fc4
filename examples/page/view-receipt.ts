/**
 * Receipts in plain words. A receipt is checked under a key that the page has pinned, or one that was dropped beside it,
 * which is the word of whoever sent it: valid then means no more than that word is worth, and the verdict says so.
 */
import {
  describeProvenance,
  elementName,
  explain,
  keyDigest,
  largestElement,
  printable,
  type RealTensor,
  type Receipt,
  realValues,
  type Statement,
  UsageError,
  type VerificationKey,
} from "#src/verifier/index.js"
import { type Card, type Line, line, type Numbers, type Section, short, type Verdict } from "./view-report.js"

/** A key that receipts may be checked under. */
export interface KnownKey {
  readonly key: VerificationKey
  readonly digest: string
  /** The file it came in, or null for one that this page has pinned. */
  readonly file: string | null
}
export const knownKey = (key: VerificationKey, file: string | null): KnownKey => ({
  key,
  digest: keyDigest(key),
  file,
})
const keyName = ({ file }: KnownKey): string => (file === null ? "pinned in this page" : `from ${file}`)

/** What was found of a receipt. */
export interface Checked {
  readonly verdict: Verdict
  readonly reason: string | null
  /** The key it was checked under. */
  readonly under: KnownKey | null
  /** Why it is not valid under the page's own key of the same model, where it is under another. */
  readonly notPinned?: string
}

/** Systems whose equation is snarkjs's, which a page does not load. */
const elsewhere: readonly string[] = ["plonk", "fflonk"]

/** Whether somebody can forge under a key, by what it says of itself. */
export const isForgeable = ({ setup }: VerificationKey): boolean =>
  setup === "dev" || (typeof setup === "object" && "transcript" in setup && setup.contributors.length === 0)

/** Checks a receipt under every key of its model; a key that it is valid under goes first, and of those a pinned one. */
export function checkReceipt(receipt: Receipt, keys: readonly KnownKey[]): Checked {
  const { model } = receipt.statement
  const fitting = keys
    .filter(({ key }) => key.model === model)
    .sort((a, b) => Number(a.file !== null) - Number(b.file !== null))
  let refused: Checked | undefined
  for (const under of fitting) {
    const reason = problemOf(receipt, under.key)
    if (reason === null) {
      const trusted = under.file === null && !isForgeable(under.key)
      const notPinned = refused?.under?.file === null ? refused.reason : null
      return {
        verdict: trusted ? "holds" : "caution",
        reason: null,
        under,
        ...(notPinned !== null && { notPinned }),
      }
    }
    if (reason === undefined) return { verdict: "open", reason: null, under }
    refused ??= { verdict: "fails", reason, under }
  }
  return refused ?? { verdict: "open", reason: null, under: null }
}

/** Why a receipt is not valid under a key, null if it is; undefined where only snarkjs can tell. */
function problemOf(receipt: Receipt, key: VerificationKey): string | null | undefined {
  const { model, context } = receipt.statement
  try {
    return explain(receipt, { verificationKey: key, model, context, allowDev: true })
  } catch (error) {
    // the key was read, and is this model's: what is left is an equation of another program
    if (error instanceof UsageError && elsewhere.includes(key.proofSystem)) return undefined
    throw error
  }
}

/** The verdict in one sentence. */
function headline({ verdict, reason, under }: Checked, { statement, proofSystem }: Receipt): string {
  if (verdict === "fails") return `Not valid: ${reason}.`
  if (under === null)
    return `Not checked: there is no key of model ${short(statement.model)} here. Drop its verification key beside the receipt.`
  if (verdict === "open")
    return `Half checked: form, model, layout and points are right, but the equation of ${proofSystem} is one that this page does not have. \`countersign verify\` checks it.`
  if (isForgeable(under.key)) return "The proof verifies, under a key for which somebody can forge."
  return under.file === null
    ? "Valid: the proof verifies under the key that this page has pinned."
    : "The proof verifies, under a key that is the word of whoever sent it."
}

const visibility = { hidden: "hidden", public: "shown here", committed: "committed to" } as const

/** What a statement says, as a sentence and its numbers. `true` only if it is proven. */
export function statementSection(
  statement: Statement,
  key: VerificationKey | undefined,
  { title, verdict, says }: { readonly title: string; readonly verdict: Verdict; readonly says: string },
): Section {
  const { input, output } = statement
  const lines: Line[] = [
    line(
      verdict,
      `${says}: the integer model ${statement.model}, run on some input of its admissible range (${visibility[input.visibility]}), gives exactly this output (${visibility[output.visibility]}), for the context ${statement.context}.`,
    ),
  ]
  for (const [side, claim] of [
    ["Input", input],
    ["Output", output],
  ] as const)
    if (claim.visibility === "committed")
      lines.push(line("plain", `${side}: commitment ${claim.commitment}. Whoever has the salt can open it.`))
  if (!key) {
    lines.push(line("open", "Without the key its integers cannot be told as real numbers."))
    return { title, lines }
  }
  try {
    const { inputs, outputs } = realValues(statement, key.layout)
    const numbers = [
      ...outputs.map((tensor) => numbersOf(tensor, "Output")),
      ...inputs.map((tensor) => numbersOf(tensor, "Input")),
    ]
    return { title, lines, numbers }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error
    lines.push(line("fails", `It does not fit the key's layout: ${error.message}.`))
    return { title, lines }
  }
}

/** Most elements that are shown of a tensor. */
const mostRows = 20

function numbersOf(tensor: RealTensor, side: string): Numbers {
  const { values, below, shape } = tensor
  const most = Math.max(
    ...Array.from(values.subarray(0, mostRows), (x) => (Number.isFinite(x) ? Math.abs(x) : 0)),
    1e-300,
  )
  const best = values.length > 1 && !below ? largestElement(tensor) : -1
  const named = (i: number): string => {
    const name = elementName(tensor, i)
    return name === null ? `${i}` : `${i} “${name}”`
  }
  const real = (x: number): string => `${Number(x.toPrecision(6))}`
  const rows = Array.from(values.subarray(0, mostRows), (x, i) => ({
    name: named(i),
    value: below ? `${real(x)} up to below ${real(below[i])}` : real(x),
    share: side === "Output" && Number.isFinite(x) ? x / most : 0,
    largest: i === best,
  }))
  const rest = [
    ...(values.length > mostRows
      ? [`${values.length - mostRows} more of ${values.length} are not shown`]
      : []),
    ...(best >= mostRows ? [`the largest is element ${named(best)}: ${real(values[best])}`] : []),
  ]
  const title = `${side} ${printable(tensor.name).slice(0, 80)} [${shape.join(", ")}]${best >= 0 ? `, largest: element ${named(best)}` : ""}`
  return { title, rows, rest: rest.length > 0 ? rest.join("; ") : null }
}

/** What nobody should read into a receipt. */
function unsaid({ statement }: Receipt, under: KnownKey | null): Line[] {
  const { input } = statement
  return [
    ...(under && isForgeable(under.key)
      ? ["That nobody forged it: whoever made this key can make receipts of anything."]
      : []),
    "That this is what the float model says: the integer model differs from it by quantization.",
    "That the model is good, or its answer right.",
    input.visibility === "public"
      ? "That the input is authentic: a proof does not know where it came from."
      : "That the input is authentic, or which one it was: whoever proved chose it.",
    "Who ran the model, and when: a receipt has no author and no time.",
    "That there is no other receipt of the same: anyone can re-randomise a proof, so its bytes are no identifier.",
  ].map((text) => line("plain", text))
}

/** Where everything came from that the verdict rests on. */
function taken({ statement }: Receipt, { under, notPinned }: Checked, contextIs: Line | null): Line[] {
  const lines: Line[] = []
  if (notPinned !== undefined)
    lines.push(
      line("fails", `It is not valid under the key of this model that this page has pinned: ${notPinned}.`),
    )
  if (under) {
    lines.push(
      under.file === null
        ? line("holds", `Key ${under.digest}: pinned in this page.`)
        : line(
            "caution",
            `Key ${under.digest}: from ${under.file}, the word of whoever sent it. Compare this digest with one that you know.`,
          ),
      line(
        isForgeable(under.key) ? "caution" : "plain",
        `The key was made by ${describeProvenance(under.key.setup)}.`,
      ),
    )
  }
  lines.push(
    line(
      "plain",
      `Model ${statement.model}: from the receipt${under ? `, and the key (${keyName(under)}) is this model's` : ""}.`,
    ),
  )
  lines.push(
    contextIs ??
      line(
        "caution",
        `Context ${statement.context}: from the receipt itself. Compare it with the one that you asked for; nothing here guards against a receipt that was made for something else, or is shown again.`,
      ),
  )
  return lines
}

/** A receipt's card. `contextIs` says what the context is, where another document does. */
export function receiptCard(
  receipt: Receipt,
  name: string,
  checked: Checked,
  contextIs: Line | null,
  together: readonly Line[],
): Card {
  const { verdict, under } = checked
  const strayed = verdict !== "fails" && together.some((one) => one.verdict === "fails")
  const proven = verdict === "holds" || verdict === "caution"
  const statement = statementSection(receipt.statement, under?.key, {
    title: proven ? "What is proven" : "What it says, unproven",
    verdict: proven ? verdict : "plain",
    says: proven ? "Proven" : "It claims, and that is not shown",
  })
  return {
    kind: `Receipt (${receipt.proofSystem})`,
    name,
    verdict: strayed ? "fails" : verdict,
    headline: `${headline(checked, receipt)}${strayed ? " It does not belong to what lies beside it." : ""}`,
    sections: [
      ...(together.length > 0 ? [{ title: "With the other documents", lines: together }] : []),
      statement,
      { title: "What was taken from where", lines: taken(receipt, checked, contextIs) },
      { title: "What it does not say", lines: unsaid(receipt, under) },
    ],
  }
}

/** A verification key's card. */
export function keyCard(key: VerificationKey, name: string, pinned: readonly KnownKey[]): Card {
  const digest = keyDigest(key)
  const isPinned = pinned.some((known) => known.file === null && known.digest === digest)
  const { inputs, outputs } = key.layout
  const side = (tensors: readonly { name: string; shape: readonly number[]; visibility: string }[]) =>
    tensors
      .map((t) => `${printable(t.name).slice(0, 80)} [${t.shape.join(", ")}], ${t.visibility}`)
      .join("; ") || "none"
  return {
    kind: `Verification key (${key.proofSystem})`,
    name,
    verdict: isPinned ? "holds" : "caution",
    headline: isPinned
      ? "The key that this page has pinned."
      : "A well-formed key: the word of whoever sent it, until its digest is one that you know.",
    sections: [
      {
        title: "What it is",
        lines: [
          line("plain", `Digest ${digest}`),
          line(
            "plain",
            `Model ${key.model}${key.architecture === undefined ? "" : ", whose weights are private"}`,
          ),
          line(isForgeable(key) ? "caution" : "plain", `Made by ${describeProvenance(key.setup)}.`),
          line("plain", `Inputs: ${side(inputs)}`),
          line("plain", `Outputs: ${side(outputs)}`),
        ],
      },
      {
        title: "What it does not say",
        lines: [
          line(
            "plain",
            "That it was made as it says: `countersign setup verify` checks that with the proving key and the powers of tau.",
          ),
          line(
            "plain",
            "That its model is the one that you mean: compare the model's digest with one that you know.",
          ),
        ],
      },
    ],
  }
}
