/** `countersign attest`: the operator's signed answer, without a proof. */
import type { Evidence } from "../../attest/index.js"
import { defaults } from "../../defaults.js"
import { checkOutput, writeWhole } from "../../files.js"
import * as api from "../../index.js"
import { keystoreOption, openAccount } from "../account.js"
import { dateOf, daySeconds, nowSeconds, readDocument } from "../claims.js"
import { withContracts } from "../contracts.js"
import { accuracyReport, loadVerificationKey, requireOwnKey, verificationKeyPath } from "../folder.js"
import { clampOption, loadWithInput } from "../input.js"
import { command, hex32, repeatable, wholeNumber } from "../options.js"
import { saltsOf } from "../salts.js"
import { elapsed, print } from "../terminal.js"
import { softwareVersion } from "../version.js"

export const attestCommand = command("attest", "run the model on an input, and sign what it said")
  .argument("<folder>")
  .argument("<input>", "INPUT.json")
  .needs("--policy <file>", "policy document that the answer is given under")
  .needs("--keep <dir>", "your store of inputs and salts, from which a proof can be made later")
  .needs("--out <file>", "where the signed answer goes")
  .addOption(keystoreOption)
  .addOption(clampOption)
  .option("--request <hex>", "id of the request that it answers; default: none")
  .option("--salts <file>", "the client's salts, where its request commits to the input; default: fresh ones")
  .option("--valid-days <days>", "how long the answer may be acted on", `${defaults.attestationDays}`)
  .option("--reference <hex>", "digest of the data that the input was checked against")
  .addOption(repeatable("--verified-by <name>", "pseudonym of somebody who verified the result"))
const placeOf = withContracts(attestCommand)

attestCommand.action(async (folder: string, inputPath: string, options) => {
  const start = performance.now()
  const { out, clamp: clampInputs = false } = options
  const claims = await import("../../attest/index.js")
  const { keep } = await import("../../keep/index.js")
  const place = placeOf(options)
  const request = options.request === undefined ? claims.zeroDigest : hex32("--request", options.request)
  const reference = options.reference === undefined ? null : hex32("--reference", options.reference)
  const days = wholeNumber("--valid-days", options.validDays, 1, 36_500)
  const document = await readDocument(options.policy)
  checkOutput(out)
  const verificationKey = loadVerificationKey(verificationKeyPath(folder))
  const { policy, unchecked } = claims.onChainPolicy(
    document,
    verificationKey.layout,
    place.policyContracts(document.finality),
  )
  const account = await openAccount(options.keystore)
  const { owned, input } = await loadWithInput(folder, inputPath, clampInputs)
  const { circuit } = owned
  requireOwnKey(owned, verificationKey)

  const began = performance.now()
  const started = nowSeconds()
  const salts =
    options.salts !== undefined
      ? saltsOf(options.salts, true, circuit).salts
      : {
          ...(circuit.input === "committed" ? { input: api.drawSalt() } : {}),
          ...(circuit.output === "committed" ? { output: api.drawSalt() } : {}),
        }
  const executed = api.execute(circuit, input, { clampInputs, salts, verificationKey })
  const issued = nowSeconds()
  const { setup } = verificationKey
  const evidence: Evidence = {
    version: 1,
    started,
    ended: issued,
    software: `countersign ${softwareVersion}`,
    transcript: typeof setup === "object" && "transcript" in setup ? setup.transcript : null,
    quantization: accuracyReport(folder, claims.jsonDigest),
    reference,
    verifiedBy: options.verifiedBy,
    other: {},
  }
  const validUntil = issued + days * daySeconds
  const operator = claims.toAddress(account.address)
  const unsigned = claims.attest(
    { statement: executed.statement, verificationKey },
    {
      operator,
      policy: claims.policyDigest(policy),
      evidence: claims.evidenceDigest(evidence),
      request,
      started,
      issued,
      validUntil,
    },
  )
  const attestation = await claims.signAttestation(unsigned, place.domain, account)
  const signMs = elapsed(began)
  const digest = claims.attestationDigest(unsigned, place.domain)
  const retainUntil = Math.max(issued + document.retentionDays * daySeconds, validUntil)
  const { input: integers, statement } = executed
  const kept = keep(options.keep, { attestation, evidence, input: integers, salts, retainUntil })
  writeWhole(out, claims.answerText({ attestation, statement: { ...statement, context: digest } }))
  const outside = claims.within(document, verificationKey.layout, statement, opened(circuit, executed))
  const outputs = outputsOf(circuit, executed)
  const facts = {
    digest,
    operator,
    policy: unsigned.policy,
    request,
    started,
    issued,
    validUntil,
    retainUntil,
  }
  print(
    {
      answer: out,
      kept,
      ...facts,
      withinPolicy: outside === null,
      outside,
      unchecked,
      outputs,
      ms: { signed: signMs, total: elapsed(start) },
    },
    [
      `answer   ${out}, signed by ${operator}`,
      `digest   ${digest}`,
      `valid    until ${dateOf(validUntil)}`,
      `kept     ${kept}, until ${dateOf(retainUntil)}`,
      ...(outside === null ? ["policy   within it"] : outside.map((reason) => `policy   outside: ${reason}`)),
      ...Object.entries(outputs).map(([name, xs]) => `${name}: ${xs.map((x) => x.toPrecision(6)).join(" ")}`),
      "This is a claim, not a proof: `countersign prove --attestation` makes one of it.",
    ],
  )
})

type Executed = api.Executed

/** Integers of every output by name. */
const integersOf = ({ graph }: api.Circuit, { values }: Executed) =>
  graph.outputs.map(({ name, tensor }) => ({
    name,
    tensor,
    integers: Array.from(values.get(tensor) as Float64Array),
  }))

/** What the operator sees of sides that the statement does not show. */
const opened = (circuit: api.Circuit, executed: Executed) => ({
  input: executed.input,
  output: Object.fromEntries(
    integersOf(circuit, executed).map(({ name, integers }) => [name, integers.map(String)]),
  ),
})

const outputsOf = (circuit: api.Circuit, executed: Executed): Record<string, number[]> =>
  Object.fromEntries(
    integersOf(circuit, executed).map(({ name, tensor, integers }) => [
      name,
      Array.from(api.dequantize(circuit.graph.tensors[tensor], integers)),
    ]),
  )
