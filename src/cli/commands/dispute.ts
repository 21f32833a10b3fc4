/**
 * `countersign dispute`: two claims that disagree, who of them is right, and what can be done about it where. Without a
 * chain it says what would be possible, with one what still is.
 */
import type { Plan } from "../../chain/index.js"
import { UsageError } from "../../errors.js"
import { readJson } from "../../files.js"
import * as api from "../../index.js"
import type { Dispute, Filing, KnownInput, KnownModel, Party, Shown, Situations } from "../../keep/index.js"
import { evaluate } from "../../ops/evaluate.js"
import type { Hex } from "../../statement/strict.js"
import { keystoreOption } from "../account.js"
import { accountOf, carryOut, type OnChain, onContracts, readRequest, rpcOption } from "../chain.js"
import { dateOf, readDocument, readShown } from "../claims.js"
import { withContracts } from "../contracts.js"
import {
  loadOwned,
  loadVerificationKey,
  type Owned,
  provingKeyPath,
  requireOwnKey,
  verificationKeyPath,
} from "../folder.js"
import { readModel } from "../model-files.js"
import { choice, command, hex32, repeatable } from "../options.js"
import { readSalts } from "../salts.js"
import { environment, invalid, note, onProgress, print } from "../terminal.js"

export const disputeCommand = command(
  "dispute",
  "say which of two claims is right, and what can be filed where; exit code 1 if a signature or proof does not hold, or nobody can say",
)
  .argument("<a>", "a signed answer, an attestation, or a receipt")
  .argument("<b>", "another one")
  .addOption(repeatable("--folder <dir>", "a compiled model with its verification key, to run it again"))
  .addOption(repeatable("--key <file>", "a further verification key, to check receipts with"))
  .addOption(repeatable("--input <file>", "an input, INPUT.json"))
  .addOption(repeatable("--salts <file>", "salts of its commitments"))
  .option("--keep <dir>", "the operator's store of inputs and salts")
  .option("--policy <file>", "policy document: tolerance, limits, who signs off")
  .option("--float <model>", "the float model, as a reference for both")
  .option("--allow-dev", "accept receipts of a development key, or one that nobody contributed to")
  .addOption(rpcOption)
  .addOption(keystoreOption)
  .option("--file <what>", "file it: equivocation or conviction")
  .option("--request <file>", "REQUEST.json of the one who is to be convicted")
  .option("--dry-run", "check everything, and send nothing")
const placeOf = withContracts(disputeCommand)

disputeCommand.action(async (pathA: string, pathB: string, options) => {
  const { policy: policyPath, keep: store, modelId, rpc = environment("COUNTERSIGN_RPC") } = options
  const kinds = { equivocation: "equivocation", conviction: "conviction" } as const
  const toFile = options.file === undefined ? null : choice("--file", options.file, kinds)
  const place = placeOf(options)
  const id = modelId === undefined ? null : hex32("--model-id", modelId)
  if (toFile === "conviction" && options.request === undefined)
    throw new UsageError({ what: "--file conviction", fix: "Name the request's file with --request FILE" })
  const [a, b] = [await readShown(pathA), await readShown(pathB)]
  const document = policyPath === undefined ? undefined : await readDocument(policyPath)
  const models = await Promise.all(
    options.folder.map((folder: string) => knownModel(folder, options.input, options.salts)),
  )
  const keys = options.key.map(loadVerificationKey)
  const facts = {
    models,
    keys,
    ...(store === undefined ? {} : { store }),
    ...(document ? { policy: { document, contracts: place.policyContracts(document.finality) } } : {}),
    ...(options.float === undefined ? {} : { float: floatModel(options.float) }),
    allowDev: options.allowDev === true,
  }
  const { dispute, filings, groundsOf } = await import("../../keep/index.js")
  const told = (found: Dispute, situations?: Situations) => {
    const about = { ...(situations ? { situations } : {}), ...(document ? { document } : {}) }
    const can = filings(found, about)
    return describe(found, can, document ? groundsOf(found, document, situations) : [], situations ?? null)
  }
  const end = ({ a: first, b: second, right, noEquivocation }: Dispute) => {
    const isBad = first.holds === false || second.holds === false
    if (isBad || (right === "unknown" && noEquivocation !== null)) invalid()
  }
  if (toFile === null && (options.contracts === undefined || rpc === undefined)) {
    const found = await dispute(a, b, facts)
    const said = told(found)
    print(said.result, said.lines)
    return end(found)
  }
  return await onContracts(options, toFile !== null, async (on) => {
    const found = await dispute(a, b, { ...facts, accounts: on.contracts.provider })
    const situations = await situationsOf(on, a, b, id)
    const { result, lines } = told(found, situations)
    if (toFile === null) print(result, lines)
    else {
      const plan =
        toFile === "equivocation"
          ? await equivocationPlan(on, found)
          : await convictionPlan(on, found, options.request, options.folder, models)
      await carryOut(plan, { result, lines, dryRun: options.dryRun === true })
    }
    end(found)
  })
})

/** The model of a folder, with every input that fits it under every salt. @throws UsageError, FileError */
async function knownModel(
  folder: string,
  inputs: readonly string[],
  saltFiles: readonly string[],
): Promise<KnownModel & Pick<Owned, "opening"> & { readonly folder: string }> {
  const owned = await loadOwned(folder, onProgress)
  const { circuit, opening } = owned
  const verificationKey = loadVerificationKey(verificationKeyPath(folder))
  requireOwnKey(owned, verificationKey)
  const { graph } = circuit
  const specs = graph.inputs.map(({ name, tensor }) => ({ name, shape: graph.tensors[tensor].shape }))
  const sides = (["input", "output"] as const).filter((side) => circuit[side] === "committed")
  const salts = sides.length === 0 ? [{}] : saltFiles.map((path) => readSalts(path, sides))
  const known = inputs.flatMap((path): KnownInput[] => {
    try {
      const input = api.parseInput(readJson(path), specs, path)
      return salts.map((each) => ({ input, salts: each }))
    } catch (error) {
      if (!(error instanceof api.InputError)) throw error
      // the other model's
      note(`${path} is no input of ${folder}: ${error.message}`)
      return []
    }
  })
  return { folder, circuit, opening, verificationKey, inputs: known }
}

/** Outputs of a float model by name. @throws UsageError, FileError, ModelError */
function floatModel(path: string) {
  const program = api.lower(readModel(path))
  return (input: KnownInput["input"]) => {
    const values = evaluate(program, input as Record<string, ArrayLike<number>>)
    return Object.fromEntries(
      program.outputs.map(({ name, tensor }) => [name, values.get(tensor) as Float64Array]),
    )
  }
}

async function situationsOf(
  { chain, contracts }: OnChain,
  a: Shown,
  b: Shown,
  id: Hex | null,
): Promise<Situations> {
  const of = async (shown: Shown) =>
    shown.kind === "receipt" ? null : await chain.situationOf(contracts, shown.attestation, id)
  return { a: await of(a), b: await of(b) }
}

async function equivocationPlan(on: OnChain, { a, b, noEquivocation }: Dispute): Promise<Plan> {
  if (noEquivocation !== null || !a.attestation || !b.attestation || !a.key)
    throw new UsageError({ what: `they are no equivocation: ${noEquivocation}` })
  return await on.chain.planEquivocation(on.contracts, accountOf(on), a.attestation, b.attestation, a.key)
}

/** Proves the right output of what is wrong, for whoever files it. */
async function convictionPlan(
  on: OnChain,
  { a, b }: Dispute,
  requestPath: string,
  folders: readonly string[],
  models: readonly (KnownModel & Pick<Owned, "opening">)[],
): Promise<Plan> {
  const request = await readRequest(requestPath)
  const wrong = [a, b].find(
    ({ judgement, attestation }) => judgement.verdict === "wrong" && attestation?.request === request.id,
  )
  if (!wrong?.attestation)
    throw new UsageError({ what: "none of both is known to be wrong, and answers that request" })
  const at = models.findIndex(({ verificationKey }) => api.keyDigest(verificationKey) === wrong.claim?.key)
  if (at < 0 || wrong.known === null)
    throw new UsageError({
      what: "the right output cannot be proven: its model or its input is not known",
      fix: "Name them with --folder DIR and --input FILE, or --keep DIR",
    })
  const { toAddress, claimOf } = await import("../../attest/index.js")
  const { chain, contracts } = on
  const context = await chain.convictionContext(contracts, request.id, toAddress(accountOf(on).address))
  const { circuit, opening, verificationKey } = models[at]
  await using key = await api.openKeyFile(provingKeyPath(folders[at]))
  await using prover = await api.openProver(circuit, key, { verificationKey, ...opening })
  const { input, salts = {} } = wrong.known
  const receipt = await prover.prove(input, { context, clampInputs: true, salts, onProgress })
  const claim = { attestation: claimOf(wrong.attestation) }
  return await chain.planConvict(contracts, accountOf(on), request, { receipt, verificationKey }, claim)
}

const nameOf = (side: "a" | "b" | "both" | "neither" | "unknown") =>
  side === "a" || side === "b" ? side.toUpperCase() : side

const numbers = (outputs: Party["outputs"]) =>
  outputs && Object.fromEntries(Object.entries(outputs).map(([name, values]) => [name, Array.from(values)]))

/** What was found, as an object and as lines. */
function describe(
  found: Dispute,
  can: readonly Filing[],
  grounds: ReturnType<typeof import("../../keep/index.js").groundsOf>,
  situations: Situations | null,
): { readonly result: object; readonly lines: string[] } {
  const of = (party: Party) => ({
    kind: party.kind,
    digest: party.digest,
    operator: party.attestation?.operator ?? null,
    request: party.attestation?.request ?? null,
    model: party.model,
    holds: party.holds,
    problem: party.problem,
    ...party.judgement,
    outputs: numbers(party.outputs),
    isUnderPolicy: party.isUnderPolicy,
    outside: party.outside,
  })
  const { a, b, right, reason, sameInput, noEquivocation, apart, fromFloat } = found
  const result = {
    a: of(a),
    b: of(b),
    decided: right !== "unknown" || noEquivocation === null,
    right: nameOf(right),
    reason,
    sameInput,
    equivocation: { is: noEquivocation === null, reason: noEquivocation },
    apart,
    fromFloat,
    grounds,
    situations,
    filings: can.map((each) => ({ ...each, against: nameOf(each.against) })),
  }
  return {
    result,
    lines: [
      ...partyLines("A", a),
      ...partyLines("B", b),
      `input         ${sameInput === null ? "whether it is the same is not known" : sameInput ? "the same" : "another one for each"}`,
      `right         ${nameOf(right)}: ${reason}`,
      ...(noEquivocation === null ? ["equivocation  one operator signed both outputs for one input"] : []),
      ...apartLines("difference", apart),
      ...apartLines("A to float", fromFloat?.a ?? null),
      ...apartLines("B to float", fromFloat?.b ?? null),
      ...grounds.map(({ ground, remedy }) => `ground        ${ground}: ${remedy}`),
      ...can.map(filingLine),
      ...(can.some((each) => each.can) ? [] : ["nothing can be filed"]),
    ],
  }
}

function partyLines(name: string, party: Party): string[] {
  const { kind, digest, attestation, holds, problem, judgement, outside, isUnderPolicy } = party
  const seal = kind === "receipt" ? "proof" : "signature"
  const whose = attestation ? `of ${attestation.operator}, ${digest}` : `for context ${digest}`
  const policy = [
    ...(isUnderPolicy === false ? ["made under another policy"] : []),
    ...(outside ?? []).map((reason) => `outside: ${reason}`),
  ]
  return [
    `${name.padEnd(13)} ${kind} ${whose}`,
    `  ${seal.padEnd(11)} ${holds === null ? `cannot be checked: ${problem}` : holds ? "holds" : `does not hold: ${problem}`}`,
    `  ${judgement.verdict.padEnd(11)} ${judgement.reason}`,
    ...policy.map((line) => `  policy      ${line}`),
  ]
}

const apartLines = (label: string, apart: Dispute["apart"]): string[] =>
  (apart ?? []).map(({ output, largest, element, within }) => {
    const at = largest > 0 ? `, at element ${element}` : ""
    const far = within === null ? "" : within ? "; within the tolerance" : "; outside the tolerance"
    return `${label.padEnd(13)} ${JSON.stringify(output)}: at most ${Number(largest.toPrecision(6))}${at}${far}`
  })

function filingLine({ what, against, where, who, can, reason, until }: Filing): string {
  const whom = against === "both" ? "" : ` against ${nameOf(against)}`
  const time = can && until ? `, until ${dateOf(until)}` : ""
  const may = (can ? "can" : "cannot").padEnd(13)
  return `${may} ${what}${whom} (${where}; ${who}${time}): ${reason}`
}
