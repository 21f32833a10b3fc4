/** What `countersign verify` says of a receipt: the verdict, what was taken from where, and the numbers it proves. */
import * as api from "../index.js"
import type { Context } from "./options.js"
import { cut } from "./terminal.js"
import { inOptions } from "./words.js"

/** Most values of a tensor on a line; `--json` has all of them. */
const mostShown = 16

/** What a key's provenance means to whoever trusts it. */
const makers: Readonly<Record<string, string>> = {
  dev: "a development setup: whoever ran it can forge receipts",
  external: "other tools; nothing here shows how",
}

export interface Asked {
  readonly key: api.VerificationKey
  /** Where the key was read. */
  readonly file: string
  /** The digest that the key must have. */
  readonly keyDigest: string | undefined
  /** The model that the receipt must be for; the key's if nothing is said. */
  readonly model: string | undefined
  readonly context: Context
  readonly allowDev: boolean
}

/**
 * Checks a receipt: the object that `--json` prints, and the lines.
 * @throws UsageError for another key or model than was asked for
 */
export function verified(receipt: string, asked: Asked) {
  const { key, file, context, allowDev } = asked
  const digest = api.keyDigest(key)
  if (asked.keyDigest !== undefined && asked.keyDigest !== digest)
    throw new api.UsageError({
      what: "the key is another one",
      where: `\`${file}\``,
      expected: `the one with --key-digest ${asked.keyDigest}`,
      given: digest,
    })
  const { model = key.model } = asked
  const given = api.explain(receipt, { verificationKey: key, model, context: context.bytes, allowDev })
  const reason = given === null ? null : inOptions(given)
  const statement = reason === null ? api.parseReceipt(receipt).statement : undefined
  const shown = statement ? api.realValues(statement, key.layout) : { inputs: [], outputs: [] }
  const described = (tensors: readonly api.RealTensor[]) =>
    tensors.map(({ values, ...rest }) => ({
      ...rest,
      values: Array.from(values),
      largest: values.length > 1 ? largest(values) : null,
    }))
  const pinned = asked.keyDigest === undefined ? "--key-digest would pin it" : "as --key-digest says"
  const modelFrom = asked.model === undefined ? "the key" : "--model"
  const result = {
    valid: reason === null,
    reason,
    key: {
      file,
      digest,
      pinned: asked.keyDigest !== undefined,
      setup: key.setup,
      proofSystem: key.proofSystem,
    },
    model: { digest: model, from: modelFrom },
    context: { bytes: context.bytes, from: context.from },
    ...(statement
      ? {
          input: { ...claimOf(statement.input), tensors: described(shown.inputs) },
          output: { ...claimOf(statement.output), tensors: described(shown.outputs) },
        }
      : {}),
  }
  const lines = [
    reason === null ? "valid" : `not valid: ${reason}`,
    `key      ${digest} (from ${file}; ${pinned})`,
    `made by  ${makers[key.setup] ?? key.setup}`,
    `model    ${model} (from ${modelFrom})`,
    `context  ${context.bytes} (${context.from})`,
    ...(statement
      ? [
          ...sideLines("input", statement.input, shown.inputs),
          ...sideLines("output", statement.output, shown.outputs),
        ]
      : []),
  ]
  return { result, lines }
}

type Claim = api.Statement["input"]

const claimOf = (claim: Claim) =>
  claim.visibility === "committed"
    ? { visibility: claim.visibility, commitment: claim.commitment }
    : { visibility: claim.visibility }

/** Index of the largest value, the first of equal ones: the class, where the outputs are scores of classes. */
function largest(values: Float64Array): number {
  let best = 0
  values.forEach((x, i) => {
    if (x > values[best]) best = i
  })
  return best
}

function sideLines(side: string, claim: Claim, tensors: readonly api.RealTensor[]): string[] {
  const label = side.padEnd(8)
  if (claim.visibility === "hidden") return [`${label} hidden`]
  if (claim.visibility === "committed") return [`${label} commitment ${claim.commitment}`]
  return tensors.map(({ name, shape, values }) => {
    const real = Array.from(values.subarray(0, mostShown), (x) => `${Number(x.toPrecision(6))}`)
    const more = values.length > mostShown ? ` … (${values.length} in all)` : ""
    const best = values.length > 1 ? `; largest: element ${largest(values)}` : ""
    return `${label} ${cut(api.printable(name), 60)} [${shape.join(", ")}]: ${real.join(" ")}${more}${best}`
  })
}
