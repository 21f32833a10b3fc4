/**
 * From real limits to the integers that are compared, exactly. A double is a fraction, and so is a layout's scale, so
 *
 *     least ≤ scale · q ≤ most        is        ⌈least / scale⌉ ≤ q ≤ ⌊most / scale⌋
 *
 * without any rounding of ours: an integer is admissible only if the real number it stands for is. (0.3 in steps of 0.1
 * ends at 2: three times the double 0.1 is more than the double 0.3.) Limits that no integer of the layout could break are
 * left out, and limits that none could keep are refused.
 */
import { checkRecord, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { count, type InputLayout, type Layout } from "../statement/layout.js"
import { bytes32, type Hex } from "../statement/strict.js"
import { exactFraction } from "../statement/values.js"
import { packing, type ValuesWord } from "../statement/words.js"
import { documentDigest, type Limit, type PolicyDocument, parseDocument } from "./document.js"
import { predicateOf } from "./predicate.js"
import { address, maxBounds } from "./read.js"
import { type Bound, type Policy, roles, zeroAddress, zeroDigest } from "./structs.js"

/** A limit in integers, on some elements of a tensor. */
export interface IntegerLimit {
  readonly side: "input" | "output"
  readonly tensor: InputLayout
  /** Index of the tensor in its side. */
  readonly index: number
  /** Row-major indices; null for all. */
  readonly elements: readonly number[] | null
  readonly least: number
  readonly most: number
}

const floorDivide = (n: bigint, d: bigint): bigint => (n < 0n ? -((d - 1n - n) / d) : n / d)

/** ⌊x / scale⌋ and ⌈x / scale⌉, exactly. */
export function steps(x: number, scale: number): { readonly floor: bigint; readonly ceil: bigint } {
  const [a, b] = [exactFraction(x), exactFraction(scale)]
  const [n, d] = [a.numerator * b.denominator, a.denominator * b.numerator]
  return { floor: floorDivide(n, d), ceil: -floorDivide(-n, d) }
}

/** The tensor of a side by its name. @throws UsageError if the layout has none */
export function tensorOf(layout: Layout, side: "input" | "output", name: string) {
  const tensors: readonly InputLayout[] = side === "input" ? layout.inputs : layout.outputs
  const index = tensors.findIndex((tensor) => tensor.name === name)
  if (index < 0)
    throw new UsageError({
      what: `the policy speaks of an ${side} that the model has not`,
      expected: tensors.map((tensor) => tensor.name).join(", "),
      given: name,
    })
  return { tensor: tensors[index], index }
}

/**
 * The limits of a policy document in integers of a layout, but for those that always hold.
 * @throws UsageError for tensors or elements that the model has not, and limits that no integer keeps
 */
export function integerLimits(document: PolicyDocument, layout: Layout): readonly IntegerLimit[] {
  checkThing("layout", layout, "layout")
  const of = (side: "input" | "output", limits: readonly Limit[]) =>
    limits.flatMap((limit) => integerLimit(side, limit, layout) ?? [])
  return [...of("output", document.outputs), ...of("input", document.inputs)]
}

function integerLimit(side: "input" | "output", limit: Limit, layout: Layout): IntegerLimit | null {
  const { tensor, index } = tensorOf(layout, side, limit.tensor)
  const { name, shape, scale, lo, bits } = tensor
  const where = `limit of ${side} ${JSON.stringify(name)}`
  const beyond = limit.elements?.find((i) => i >= count(shape))
  if (beyond !== undefined)
    throw new UsageError({
      what: "there is no such element",
      where,
      expected: `below ${count(shape)}`,
      given: `${beyond}`,
    })
  const [first, last] = [BigInt(lo), BigInt(lo) + 2n ** BigInt(bits) - 1n]
  const least = limit.least === null ? first : steps(limit.least, scale).ceil
  const most = limit.most === null ? last : steps(limit.most, scale).floor
  if (least <= first && most >= last) return null
  const kept = { least: least < first ? first : least, most: most > last ? last : most }
  if (kept.least > kept.most)
    throw new UsageError({
      what: "no integer of the model keeps it",
      where,
      expected: `something of ${Number(first) * scale} to ${Number(last) * scale}, in steps of ${scale}`,
      given: `${limit.least ?? "anything"} to ${limit.most ?? "anything"}`,
    })
  // integers of a layout are safe ones
  return {
    side,
    tensor,
    index,
    elements: limit.elements,
    least: Number(kept.least),
    most: Number(kept.most),
  }
}

/**
 * What limits of one tensor leave to an element, all together; null for an element that none is about.
 * @throws (the function) UsageError if they exclude each other
 */
export function together(
  limits: readonly IntegerLimit[],
): (element: number) => { readonly least: number; readonly most: number } | null {
  const all = limits.map((limit) => ({ ...limit, only: limit.elements && new Set(limit.elements) }))
  return (element) => {
    const on = all.filter(({ only }) => only === null || only.has(element))
    if (on.length === 0) return null
    const least = Math.max(...on.map((limit) => limit.least))
    const most = Math.min(...on.map((limit) => limit.most))
    if (least > most)
      throw new UsageError({
        what: "its limits exclude each other",
        where: `${on[0].side} ${JSON.stringify(on[0].tensor.name)}, element ${element}`,
      })
    return { least, most }
  }
}

/** Contracts that a policy is checked with; zero where there are none. */
export interface PolicyContracts {
  readonly registry: Hex
  /** uint256 as bytes32. */
  readonly modelId: Hex
  readonly escrow: Hex
}

export const noContracts: PolicyContracts = {
  registry: zeroAddress,
  modelId: zeroDigest,
  escrow: zeroAddress,
}

/** The half of a policy that contracts check, and in words what of its document they cannot check. */
export interface OnChainPolicy {
  readonly policy: Policy
  readonly unchecked: readonly string[]
}

/**
 * What contracts check of a policy document for models of a layout: who must sign off, recall, finality, the limits of
 * what statements show, and the bit of models that prove this document (predicate.ts), which is about all of it.
 * @throws FileError for a malformed document; UsageError if it does not fit the layout or contracts, and for more than 4096
 * bounds: each costs gas
 */
export function onChainPolicy(
  given: PolicyDocument,
  layout: Layout,
  contracts: PolicyContracts = noContracts,
): OnChainPolicy {
  checkRecord(contracts, "contracts")
  const document = parseDocument(given)
  const escrow = address(contracts.escrow, "contracts.escrow")
  if ((document.finality === "escrow") !== (escrow !== zeroAddress))
    throw new UsageError({
      what: "the policy's finality and the escrow do not fit",
      expected: document.finality === "escrow" ? "the address of an escrow" : "no escrow",
      given: escrow,
    })
  const limits = integerLimits(document, layout)
  if (document.abstain) tensorOf(layout, "output", document.abstain.tensor)
  const shown = limits.filter(({ tensor }) => tensor.visibility === "public")
  const digest = documentDigest(document)
  const proven = predicateOf(layout, digest)
  const { registry, modelId } = contracts
  const policy: Policy = {
    document: digest,
    registry: address(registry, "contracts.registry"),
    modelId: bytes32(modelId, "contracts.modelId"),
    escrow,
    bounds: boundsOf(shown, layout, proven),
    signOffs: document.signOffs.map(({ role, signer }) => ({ role: roles[role], signer })),
  }
  if (proven !== null) return { policy, unchecked: [] }
  const unchecked = [
    ...limits
      .filter((limit) => !shown.includes(limit))
      .map(
        ({ side, tensor: { name, visibility } }) =>
          `limit of ${side} ${JSON.stringify(name)}, which is ${visibility}`,
      ),
    ...(document.abstain ? [`margin of output ${JSON.stringify(document.abstain.tensor)}`] : []),
  ]
  return { policy, unchecked: [...new Set(unchecked)] }
}

/** One bound for each element that is limited, in order of words; several limits of an element are one. */
function boundsOf(limits: readonly IntegerLimit[], layout: Layout, proven: number | null): readonly Bound[] {
  const limitOf = ({ side, tensor }: ValuesWord) => {
    // the bit of the policy is 1
    if (side === "output" && tensor === proven) return () => ({ least: 1, most: 1 })
    const here = limits.filter((limit) => limit.side === side && limit.index === tensor)
    return here.length > 0 ? together(here) : null
  }
  const bounds: Bound[] = []
  packing(layout).forEach((word, at) => {
    if (word.kind !== "values") return
    const { first, lo, bits } = word
    const limit = limitOf(word)
    for (let i = 0; limit !== null && i < word.count; i++) {
      const kept = limit(first + i)
      if (kept === null) continue
      if (bounds.length === maxBounds)
        throw new UsageError({
          what: "the policy limits too many elements",
          expected: `at most ${maxBounds}`,
        })
      bounds.push({ word: at, shift: bits * i, bits, lo, ...kept })
    }
  })
  return bounds
}
