/**
 * The parsers, each with the way its files are mutated. A parser is given the parts of a file as bytes, of which one
 * was changed, and what goes with it; it returns, or throws what it throws.
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import {
  attestationDigest,
  explainCredential,
  explainSignOff,
  onChainPolicy,
  parseAttestation,
  parseCredential,
  parseDocument,
  parseEvidence,
  parsePolicy,
  parseSignOff,
  parseWithdrawal,
  policyDigest,
  within,
} from "#src/attest/index.js"
import { carriedKey, deltaOf, readCeremonyKey } from "#src/ceremony/key.js"
import { readR1cs } from "#src/circuit/formats/r1csfile.js"
import { saltsOf } from "#src/cli/salts.js"
import { rebuildCircuit } from "#src/compile/description.js"
import { FileError } from "#src/errors.js"
import { readKept } from "#src/keep/index.js"
import { openLog, verifyLog } from "#src/log/index.js"
import { importOnnx } from "#src/model/onnx/onnx.js"
import { importTfjs } from "#src/model/tfjs/tfjs.js"
import { lower } from "#src/ops/lower.js"
import { verificationKeyOf } from "#src/prover/open.js"
import { parseInput, parseJson, parseSamples } from "#src/quantize/calibration/samples.js"
import { deserialize } from "#src/quantize/canonical/digest.js"
import { parseHead, parseTranscript } from "#src/setup/ceremony/transcript.js"
import { openPtau } from "#src/setup/ptau/file.js"
import { readRecord } from "#src/setup/ptau/record.js"
import { parseRecords } from "#src/systems/groth16/records.js"
import {
  encodeKey,
  explain,
  fromSnarkjs,
  parseReceipt,
  parseVerificationKey,
  proofFromSnarkjs,
} from "#src/verifier/index.js"
import { mutateBytes, mutateJson, mutateProtobuf, mutateZip } from "./mutate.mjs"

const text = (bytes) => new TextDecoder().decode(bytes)
/** Half by structure, half by bytes. */
const both = (structured) => (bytes, random, other) =>
  (random.below(2) === 0 ? structured : mutateBytes)(bytes, random, other)
/** One line of JSON among several. */
const mutateLines = (bytes, random, other) => {
  const lines = text(bytes).split("\n")
  const i = random.below(lines.length - 1)
  lines[i] = text(mutateJson(new TextEncoder().encode(lines[i]), random, other))
  return new TextEncoder().encode(lines.join("\n"))
}

/**
 * `parts`: how each part of a file is mutated; `prepare` makes of the seeds' context what stays between cases.
 * @type {Record<string, { parts: Function[], prepare?: Function, parse: Function }>}
 */
export const targets = {
  onnx: {
    parts: [both(mutateProtobuf)],
    parse: ([model]) => lower(importOnnx(model)),
  },
  tfjs: {
    parts: [mutateJson, mutateBytes],
    parse: ([model, weights]) => lower(importTfjs(parseJson(model, "model.json"), weights)),
  },
  model: {
    parts: [mutateBytes],
    parse: ([model]) => deserialize(model),
  },
  circuit: {
    parts: [mutateJson],
    parse: ([circuit], { model, gadgets }) => rebuildCircuit({ model, circuit: text(circuit), gadgets }),
  },
  gadgets: {
    parts: [mutateJson],
    parse: ([gadgets], { model, circuit }) => rebuildCircuit({ model, circuit, gadgets: text(gadgets) }),
  },
  commitments: {
    parts: [mutateJson],
    parse: ([gadgets], { model, circuit }) => rebuildCircuit({ model, circuit, gadgets: text(gadgets) }),
  },
  mirageKey: {
    parts: [mutateBytes],
    prepare: rebuild,
    parse: ([key], circuit) => verificationKeyOf(circuit, key),
  },
  zkey: {
    parts: [mutateBytes],
    prepare: rebuild,
    parse: ([key], circuit) => verificationKeyOf(circuit, key),
  },
  verificationKey: {
    parts: [mutateJson],
    parse: ([key]) => encodeKey(parseVerificationKey(text(key))),
  },
  receipt: {
    parts: [mutateJson],
    prepare: ({ verificationKey, ...others }) => ({
      ...others,
      verificationKey: parseVerificationKey(verificationKey),
    }),
    parse([receipt], expected) {
      explain(text(receipt), expected)
      parseReceipt(text(receipt))
    },
  },
  claim: {
    parts: [both(mutateJson)],
    async parse([bytes], { expected }) {
      const claim = text(bytes)
      // reasons, never exceptions
      await explainSignOff(claim, expected)
      explainCredential(claim, expected)
      const readers = { parseSignOff, parseWithdrawal, parseCredential, parseEvidence, parsePolicy }
      const others = Object.values(readers).filter((read) => reads(() => read(claim)))
      if (others.length > 0) return
      attestationDigest(parseAttestation(claim), "offline")
    },
  },
  policy: {
    parts: [mutateJson],
    parse([bytes], { layout, statement }) {
      const document = parseDocument(text(bytes))
      policyDigest(onChainPolicy(document, layout).policy)
      within(document, layout, statement)
    },
  },
  kept: {
    parts: [mutateJson],
    parse([bytes], { scratch, digest }) {
      const folder = join(scratch, "kept")
      mkdirSync(folder, { recursive: true, mode: 0o700 })
      writeFileSync(join(folder, `${digest.slice(2)}.json`), bytes)
      return readKept(folder, digest)
    },
  },
  log: {
    parts: [both(mutateLines), mutateBytes, mutateBytes, mutateBytes, mutateBytes, mutateBytes, mutateJson],
    async parse(parts, { scratch, names }) {
      const folder = join(scratch, "log")
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(join(folder, "tree"), { recursive: true })
      names.forEach((name, i) => {
        writeFileSync(join(folder, name), parts[i])
      })
      // who can write all of it can have made the state say anything
      const { problem } = await verifyLog(folder)
      const log = await openLog(folder, { sync: false })
      try {
        for (let i = 0; i < log.size; i++) log.entry(i)
        log.inclusionProof(1)
        log.consistencyProof(2)
      } finally {
        await log.close()
      }
      if (problem) throw new FileError({ what: problem.what })
    },
  },
  snarkjs: {
    parts: [mutateJson, mutateJson],
    parse([key, proof], { facts }) {
      proofFromSnarkjs(parseJson(proof, "proof.json"))
      fromSnarkjs(parseJson(key, "verification_key.json"), facts)
    },
  },
  npz: {
    parts: [mutateZip],
    parse: ([samples], { inputs }) => parseSamples(samples, "samples.npz", inputs),
  },
  samples: {
    parts: [mutateJson],
    parse: ([samples], { inputs }) => parseSamples(samples, "samples.json", inputs),
  },
  input: {
    parts: [mutateJson],
    parse: ([input], { inputs }) => parseInput(parseJson(input, "input.json"), inputs),
  },
  salts: {
    parts: [mutateJson],
    parse([salts], { scratch }) {
      const path = join(scratch, "salts.json")
      writeFileSync(path, salts)
      const sides = { input: "committed", output: "committed" }
      return saltsOf(path, true, sides)
    },
  },
  ptau: {
    parts: [mutateBytes],
    parse: async ([powers]) => {
      const { readRecord: read, ceremonyPower } = await openPtau(powers)
      readRecord(await read(), ceremonyPower)
    },
  },
  ceremonyKey: {
    parts: [mutateBytes],
    async parse([given]) {
      const key = await readCeremonyKey(given)
      for (const { name } of key.protocol.deltas) deltaOf(key, name)
      carriedKey(key)
    },
  },
  transcript: {
    parts: [both(mutateJson)],
    parse: ([section]) => parseTranscript(section, "mirage", ["deltaC", "delta"]),
  },
  contributions: {
    parts: [mutateBytes],
    parse: ([section], { head }) =>
      parseRecords(section, parseHead(new TextEncoder().encode(head), "groth16")),
  },
  ptauRecord: {
    parts: [mutateBytes],
    parse: ([record]) => readRecord(record, 2),
  },
  r1cs: {
    parts: [mutateBytes],
    parse: ([system]) => readR1cs(system),
  },
}

/** Whether a reader takes it; anything but a typed error is a failure. */
function reads(read) {
  try {
    read()
    return true
  } catch (error) {
    if (error instanceof FileError) return false
    throw error
  }
}

function rebuild({ model, circuit, gadgets }) {
  return rebuildCircuit({ model, circuit, gadgets })
}
