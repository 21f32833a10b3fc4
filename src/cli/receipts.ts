/**
 * Commands about a receipt: the options that say what it must be, and what `countersign verify` says of it: the
 * verdict, what was taken from where, and the numbers it proves.
 */

import { readWhole } from "../files.js"
import * as api from "../index.js"
import { loadVerificationKey } from "./folder.js"
import { type Context, command, hex32, type ToolCommand, withContext } from "./options.js"
import { invalid, print } from "./terminal.js"
import { inOptions, madeBy } from "./words.js"

/** What a receipt must be. */
interface Asked {
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

/** The object that `--json` prints, and the lines. */
interface Said {
  readonly result: object
  readonly lines: readonly string[]
}

/**
 * A command that checks a receipt: it says the verdict on one that is not valid, with exit code 1, and of a valid
 * one what `say` gives.
 */
export function receiptCommand(
  name: string,
  description: string,
  say: (receipt: api.Receipt, given: Asked & { readonly verdict: Said }) => Said,
): ToolCommand {
  const made = command(name, description)
    .argument("<receipt>")
    .needs("--key <file>", "verification key")
    .option("--key-digest <hex>", "digest that the key must have: a file alone is anyone's word")
    .option("--model <hex>", "model digest the receipt must be for; default: the key's")
    .option("--allow-dev", "accept a development key, or one that nobody contributed to")
  const contextOf = withContext(made, "the receipt must be for")
  return made.action(async (path: string, options) => {
    const asked = askedBy(options, contextOf())
    const text = new TextDecoder().decode(readWhole(path))
    const { receipt, ...verdict } = await judge(text, asked)
    const said = receipt ? say(receipt, { ...asked, verdict }) : verdict
    print(said.result, said.lines)
    if (!receipt) invalid()
  })
}

function askedBy(options: ReturnType<ToolCommand["opts"]>, context: Context): Asked {
  const { key: file, allowDev = false } = options
  const model = options.model === undefined ? undefined : hex32("--model", options.model)
  const keyDigest = options.keyDigest === undefined ? undefined : hex32("--key-digest", options.keyDigest)
  return { key: loadVerificationKey(file), file, keyDigest, model, context, allowDev }
}

/**
 * The verdict on a receipt, which is given back if it is valid.
 * @throws UsageError for another key or model than was asked for
 */
async function judge(text: string, asked: Asked): Promise<Said & { readonly receipt: api.Receipt | null }> {
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
  const given = await api.explainReceipt(text, {
    verificationKey: key,
    model,
    context: context.bytes,
    allowDev,
  })
  const reason = given === null ? null : inOptions(given)
  const receipt = reason === null ? api.parseReceipt(text) : null
  const shown = receipt ? claims(receipt.statement, key) : { result: {}, lines: [] }
  const pinned = asked.keyDigest !== undefined
  const modelFrom = asked.model === undefined ? "the key" : "--model"
  const { setup, proofSystem } = key
  const result = {
    valid: reason === null,
    reason,
    key: { file, digest, pinned, setup, proofSystem },
    model: { digest: model, from: modelFrom },
    context: { bytes: context.bytes, from: context.from },
    ...shown.result,
  }
  const lines = [
    reason === null ? "valid" : `not valid: ${reason}`,
    `key      ${digest} (from ${file}; ${pinned ? "as --key-digest says" : "--key-digest would pin it"})`,
    ...madeBy(setup, "made by  "),
    `model    ${model} (from ${modelFrom})`,
    `context  ${context.bytes} (${context.from})`,
    ...shown.lines,
  ]
  return { result, lines, receipt }
}

/** What a statement says of both sides of the model. */
function claims(statement: api.Statement, { layout }: api.VerificationKey): Said {
  const { input, output } = statement
  const { inputs, outputs } = api.realValues(statement, layout)
  return {
    result: { input: claimOf(input, inputs), output: claimOf(output, outputs) },
    lines: [...claimLines("input", input, inputs), ...claimLines("output", output, outputs)],
  }
}

type Claim = api.Statement["input"]

const claimOf = (claim: Claim, tensors: readonly api.RealTensor[]) => ({
  visibility: claim.visibility,
  ...(claim.visibility === "committed" ? { commitment: claim.commitment } : {}),
  tensors: tensors.map((tensor) => {
    const { values, ...rest } = tensor
    const largest = values.length > 1 ? api.largestElement(tensor) : null
    return { ...rest, values: Array.from(values), largest }
  }),
})

function claimLines(side: string, claim: Claim, tensors: readonly api.RealTensor[]): string[] {
  const label = side.padEnd(8)
  if (claim.visibility === "hidden") return [`${label} hidden`]
  const commitment = claim.visibility === "committed" ? [`${label} commitment ${claim.commitment}`] : []
  const shown = tensors.map((tensor) => `${label} ${api.describeTensor(tensor)}`)
  return [...shown, ...commitment]
}
