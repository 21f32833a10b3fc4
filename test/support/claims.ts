/** Small models that disagree, with keys under which a receipt of anything can be made, and claims about them. */
import {
  attest,
  attestationDigest,
  type Domain,
  type PolicyDocument,
  signAttestation,
} from "#src/attest/index.js"
import { compile } from "#src/compile/compile.js"
import type { KnownModel, Shown } from "#src/keep/index.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { execute } from "#src/prover/execute.js"
import { quantize } from "#src/quantize/quantize.js"
import type { Statement } from "#src/statement/statement.js"
import type { Hex } from "#src/statement/strict.js"
import { addressOf, digest, operator } from "./attestations.js"
import { smallModel } from "./cli.js"
import { mirageOracle } from "./mirage-oracle.js"
import { ceremony } from "./provenances.js"

export const x = [0.5, -0.5, 0.25]

export interface ModelOptions {
  readonly seed?: number
  readonly input?: "public" | "committed" | "private"
  readonly output?: "public" | "committed"
  readonly within?: PolicyDocument
}

/** What a claim is to say otherwise than the model. */
export interface Said {
  readonly x?: readonly number[]
  readonly salts?: { readonly input?: bigint; readonly output?: bigint }
  /** Another output than the model's. */
  readonly lie?: boolean
  readonly domain?: Domain
  readonly by?: typeof operator
  readonly request?: Hex
  readonly policy?: Hex
  readonly issued?: number
}

const chain: Domain = { chainId: 31337, verifyingContract: `0x${"a".repeat(40)}` }

/** A model, and what people may say of it. */
export async function modelOf({ seed = 7, input = "public", output = "public", ...more }: ModelOptions = {}) {
  const samples = [{ x: [0.5, -0.5, 0.25] }, { x: [1, -1, 1] }]
  const graph = await quantize(importOnnx(smallModel(seed)), { samples })
  const circuit = await compile(graph, { input, output, ...more })
  const oracle = mirageOracle(circuit.layout, { model: circuit.model, seed: `${seed}`, setup: ceremony })
  const known: KnownModel = { circuit, verificationKey: oracle.key, inputs: [{ input: { x } }] }

  function statement({ x: values = x, salts = {}, lie = false }: Said): Statement {
    const all = {
      ...(input === "committed" ? { input: salts.input ?? 11n } : {}),
      ...(output === "committed" ? { output: salts.output ?? 7n } : {}),
    }
    const said = execute(circuit, { x: values }, { salts: all }).statement
    if (!lie) return said
    if (said.output.visibility === "committed")
      return { ...said, output: { visibility: "committed", commitment: digest("1") } }
    const y = said.output.values.y.map((value, i) => (i === 0 ? `${-Number(value) || 1}` : value))
    return { ...said, output: { visibility: "public", values: { y } } }
  }
  async function attested(said: Said = {}): Promise<Extract<Shown, { kind: "attestation" }>> {
    const { domain = chain, by = operator, policy = digest("f"), request = digest("9"), issued = 1 } = said
    const facts = { operator: addressOf(by), policy, request, started: 1, issued, validUntil: 99 }
    const about = statement(said)
    const claim = attest({ statement: about, verificationKey: oracle.key }, facts)
    const attestation = await signAttestation(claim, domain, by)
    const context = attestationDigest(claim, domain)
    return { kind: "attestation", attestation, statement: { ...about, context } }
  }
  function received(said: Said = {}): Extract<Shown, { kind: "receipt" }> {
    return { kind: "receipt", receipt: oracle.receipt(statement(said)) }
  }
  return { circuit, oracle, key: oracle.key, known, statement, attested, received }
}
