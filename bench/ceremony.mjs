/**
 * Keys from powers of tau, ours against snarkjs's on the same file and rows, one after the other: checking the powers,
 * preparing a domain, the first key, a contribution, verifying the result. Both make the same first key, byte by byte,
 * or there are no figures. snarkjs prepares every power of two up to the file's at once; ours the domain that is needed.
 *
 * The powers are made here, 2^16 of them, by snarkjs, and cut to 2^14 for the perceptron in plain Groth16, whose domain
 * that is: preparing these takes snarkjs minutes. What has no other side are the examples in `mirage`.
 */
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { curves, powersOfTau, zKey } from "snarkjs"
import { contribute } from "../dist/ceremony/index.js"
import { createBinFile, readBinFile } from "../dist/circuit/formats/container.js"
import {
  checkPtau,
  compile,
  importOnnx,
  openPtauFile,
  parseSamples,
  quantize,
  setup,
  verifySetup,
  writeR1cs,
} from "../dist/index.js"

const powers = 16
const against = "snarkjs"
const sink = () => {
  const parts = []
  return { write: async (bytes) => parts.push(bytes), bytes: () => new Uint8Array(Buffer.concat(parts)) }
}
const mem = (data) => ({ type: "mem", data })
const say = (text) => process.stderr.write(`${text}\n`)

/** Milliseconds that work takes, and what it gives. Processor time of all threads is told beside: a busy machine adds none. */
async function timed(name, work) {
  const start = performance.now()
  const before = process.cpuUsage()
  const value = await work()
  const ms = performance.now() - start
  const { user, system } = process.cpuUsage(before)
  say(`${name}: ${(ms / 1000).toFixed(1)} s, ${((user + system) / 1e6).toFixed(1)} s of processor`)
  return { ms, value }
}

async function graphOf(folder) {
  const read = (file) => readFileSync(new URL(`../examples/${folder}/${file}`, import.meta.url))
  const model = importOnnx(read("model.onnx"))
  return quantize(model, parseSamples(read("samples.json"), "samples.json", model.inputs))
}

/** A row of a step that both sides take. */
async function both(name, ours, theirs) {
  const mine = await timed(`${name}, ours`, ours)
  const other = await timed(`${name}, ${against}`, theirs)
  const row = { name, against, ms: mine.ms, otherMs: other.ms, ratio: other.ms / mine.ms }
  return { row, mine: mine.value, other: other.value }
}

/** Rows of `check`, `mirage` and `groth16`, or of one of them. `ptau`: a file of 2^16 powers that is there already. */
export async function ceremony({ only = "", ptau } = {}) {
  const folder = mkdtempSync(join(tmpdir(), "countersign-bench-"))
  try {
    return await rowsIn((name) => join(folder, name), only, ptau)
  } finally {
    await (await curves.getCurveFromName("bn128")).terminate()
    rmSync(folder, { recursive: true })
  }
}

async function rowsIn(path, only, given) {
  const large = given ?? path("large.ptau")
  if (given === undefined) await makePowers(large)
  const parts = { check: checkRows, mirage: mirageRows, groth16: plainRows }
  const rows = []
  for (const [name, rowsOf] of Object.entries(parts)) {
    if (name.includes(only)) rows.push(...(await rowsOf(large, path)))
  }
  return rows
}

async function makePowers(file) {
  const start = mem()
  await powersOfTau.newAccumulator(await curves.getCurveFromName("bn128"), powers, start)
  await timed(`contributing to 2^${powers} powers, ${against}`, () =>
    powersOfTau.contribute(start, file, "bench", "entropy of a benchmark"),
  )
}

async function checkRows(large) {
  const checked = await both(
    `check 2^${powers} powers`,
    () => withPtau(large, (file) => checkPtau(file)),
    () => powersOfTau.verify(large),
  )
  if (checked.other !== true) throw new Error("snarkjs refuses the powers")
  return [checked.row]
}

/** The first setup of a circuit, which prepares its domain, and the second, which does not. */
async function twice(name, circuit, file) {
  const first = await timed(`${name}, with preparation`, () => setup(circuit, { ptau: file }))
  const again = await timed(`${name}, prepared`, () => setup(circuit, { ptau: file }))
  if (Buffer.compare(first.value.provingKey, again.value.provingKey) !== 0)
    throw new Error("kept Lagrange points make another key")
  return { key: again.value.provingKey, prepareMs: first.ms - again.ms, keyMs: again.ms }
}

async function withPtau(path, work) {
  const file = await openPtauFile(path)
  try {
    return await work(file)
  } finally {
    await file.close()
  }
}

function mirageRows(large, path) {
  // Lagrange points are kept beside the file, where there must be none yet
  copyFileSync(large, path("mirage.ptau"))
  return withPtau(path("mirage.ptau"), mirageRowsOf)
}

async function mirageRowsOf(file) {
  const rows = []
  for (const [folder, name] of [
    ["mnist-lenet", "LeNet"],
    ["mnist-mlp", "perceptron"],
  ]) {
    const circuit = await compile(await graphOf(folder))
    const { key, prepareMs, keyMs } = await twice(`${name}, mirage`, circuit, file)
    rows.push({ name: `prepare ${circuit.domain}`, ms: prepareMs })
    rows.push({ name: `first key, ${name}, mirage`, ms: keyMs })
    const to = sink()
    const added = await timed("contribution", () => contribute(key, { name: "bench", sink: to }))
    rows.push({ name: `contribution, ${name}, mirage`, ms: added.ms })
    const report = await timed("verification", () => verifySetup(circuit, to.bytes(), file))
    if (!report.value.valid) throw new Error(`${name}: ${report.value.problems.join("; ")}`)
    rows.push({ name: `verification, ${name}, mirage`, ms: report.ms })
  }
  return rows
}

async function plainRows(large, path) {
  const circuit = await compile(await graphOf("mnist-mlp"), { proofSystem: "groth16" })
  const power = Math.log2(circuit.domain)
  const cut = path("cut.ptau")
  writeFileSync(cut, cutTo(power, readFileSync(large)))
  return withPtau(cut, (file) => plainRowsOf(circuit, file, cut, path("prepared.ptau")))
}

async function plainRowsOf(circuit, file, cut, preparedPath) {
  const rows = []
  const power = Math.log2(circuit.domain)
  const { r1cs } = circuit.linked
  const theirs = mem()
  const ours = await twice("perceptron, groth16", circuit, file)
  const prepared = await timed(`prepare 2^${power}, ${against}`, () =>
    powersOfTau.preparePhase2(cut, preparedPath),
  )
  say(`prepared file: ${statSync(preparedPath).size} bytes`)
  const [ms, otherMs] = [ours.prepareMs, prepared.ms]
  rows.push({ name: `prepare 2^${power}`, against, ms, otherMs, ratio: otherMs / ms })
  const made = await timed(`first key, ${against}`, () =>
    zKey.newZKey(mem(writeR1cs(r1cs)), preparedPath, theirs),
  )
  requireSame(ours.key, theirs.data)
  rows.push({
    name: "first key, perceptron, groth16",
    against,
    ms: ours.keyMs,
    otherMs: made.ms,
    ratio: made.ms / ours.keyMs,
  })
  const to = sink()
  const next = mem()
  const added = await both(
    "contribution, perceptron, groth16",
    () => contribute(ours.key, { name: "bench", sink: to }),
    () => zKey.contribute(theirs, next, "bench", "entropy of a benchmark"),
  )
  rows.push(added.row)
  const verified = await both(
    "verification, perceptron, groth16",
    () => verifySetup(circuit, to.bytes(), file),
    () => zKey.verifyFromR1cs(mem(writeR1cs(r1cs)), preparedPath, next),
  )
  if (!verified.mine.valid || verified.other !== true) throw new Error("a contributed key is refused")
  rows.push(verified.row)
  return rows
}

/** A file of the first powers of a larger one. snarkjs cuts prepared ones only. */
function cutTo(power, file) {
  const points = 2 ** power
  const bytes = { 2: 64 * (2 * points - 1), 3: 128 * points, 4: 64 * points, 5: 64 * points }
  const kept = [...readBinFile(file, "ptau", 1)].map(([id, content]) => [id, content.subarray(0, bytes[id])])
  const sizes = kept.map(([id, content]) => ({ id, bytes: content.length }))
  const { file: made, sections } = createBinFile("ptau", 1, sizes)
  for (const [i, [id, content]] of kept.entries()) {
    // the power stands behind the prime
    if (id === 1) new DataView(content.buffer, content.byteOffset).setUint32(36, power, true)
    sections[i].set(content)
  }
  return made
}

/** Points and records: all but the order of coefficients, our own marks, and H, which lacks a power (lagrange.ts). */
function requireSame(ours, theirs) {
  const [own, other] = [ours, theirs].map((key) => readBinFile(key, "zkey", 1))
  for (const id of [2, 3, 5, 6, 7, 8, 10]) {
    if (Buffer.compare(own.get(id), other.get(id)) !== 0)
      throw new Error(`first key: section ${id} is not that of snarkjs`)
  }
}
