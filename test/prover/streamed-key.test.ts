/** Proofs with a key that is not kept but read block by block, from bytes, a Blob or a file. */
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import type { ByteSource } from "#src/circuit/formats/source.js"
import { compile } from "#src/compile/compile.js"
import { FileError, UsageError } from "#src/errors.js"
import type { Engine } from "#src/prover/engine/engine.js"
import { kernelEngine } from "#src/prover/engine/kernels.js"
import { openKeyFile } from "#src/prover/keyfile.js"
import { type Keys, openProver, setup, verificationKeyOf } from "#src/prover/open.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { checkKeySize, checkMemory, proverMemory, residentKeyBytes } from "#src/systems/mirage/keyfile.js"
import { mirageKeyQueries } from "#src/systems/mirage/setup.js"
import { explain } from "#src/verifier/index.js"
import { amount } from "../support/amount.js"
import { mnist, type Network, perceptron } from "../support/networks.js"

const context = `0x${"5e".repeat(32)}`
let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "countersign-stream-"))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const problemOf = (circuit: MirageCircuit, keys: Keys, receipt: unknown) =>
  explain(receipt, { verificationKey: keys.verificationKey, model: circuit.model, context, allowDev: true })

describe.each(["mnist-mlp", "mnist-lenet"].slice(0, amount(1, 2)))("%s", (name) => {
  it("proves the same with everything streamed, and holds no more memory than before", async () => {
    const network = await mnist(name)
    const circuit = await compile(network.graph)
    const keys = await setup(circuit, { dev: true })
    const path = join(folder, name)
    writeFileSync(path, keys.provingKey)
    const engine = await kernelEngine({ blockBytes: 64_000 })
    const file = await openKeyFile(path)
    try {
      const options = { context, clampInputs: true }
      const prover = await openProver(circuit, file, { engine, residentBytes: 0 })
      const receipt = await prover.prove(network.input, options)
      expect(problemOf(circuit, keys, receipt)).toBe(null)
      const held = engine.heldBytes()
      expect(held).toBeLessThan(proverMemory(circuit.linked, { residentBytes: 0 }))
      await prover.prove(network.input, options)
      expect(engine.heldBytes()).toBe(held)
      await prover.close()
      const before = engine.heldBytes()
      const resident = await openProver(circuit, file, { engine })
      expect(problemOf(circuit, keys, await resident.prove(network.input, options))).toBe(null)
      expect(engine.heldBytes() - before).toBeGreaterThan(keys.provingKey.length)
      await resident.close()
    } finally {
      await file.close()
      await engine.close()
    }
  })
})

describe("a streamed key", () => {
  let network: Network
  let circuit: MirageCircuit
  let keys: Keys
  let engine: Engine
  let path: string
  beforeAll(async () => {
    network = await perceptron([6, 5, 3], 6)
    circuit = await compile(network.graph)
    keys = await setup(circuit, { dev: true })
    engine = await kernelEngine({ blockBytes: 1000 })
    path = join(folder, "key")
  })
  afterAll(() => engine.close())
  const prove = async (source: Uint8Array | ByteSource, between: () => void = () => undefined) => {
    const prover = await openProver(circuit, source, { engine, residentBytes: 0 })
    const options = { context, clampInputs: true }
    expect(problemOf(circuit, keys, await prover.prove(network.input, options))).toBe(null)
    between()
    return prover.prove(network.input, options)
  }
  /** The same on a file that something happens to between two proofs. */
  const proveFile = async (between?: () => void) => {
    writeFileSync(path, keys.provingKey)
    const file = await openKeyFile(path)
    try {
      return await prove(file, between)
    } finally {
      await file.close()
    }
  }

  it("may be bytes, a Blob, or a file that another replaces", async () => {
    await prove(keys.provingKey)
    const blob = new Blob([keys.provingKey as Uint8Array<ArrayBuffer>])
    const { size } = blob
    const read = async (from: number, length: number) =>
      new Uint8Array(await blob.slice(from, from + length).arrayBuffer())
    await prove({ size, read })
    const other = (await setup(circuit, { dev: true })).provingKey
    const receipt = await proveFile(() => {
      writeFileSync(`${path}.tmp`, other)
      renameSync(`${path}.tmp`, path)
    })
    expect(problemOf(circuit, keys, receipt)).toBe(null)
    expect(Buffer.compare(readFileSync(path), other)).toBe(0)
  })

  it("that was cut, extended or written to is refused with what happened", async () => {
    for (const change of [
      () => truncateSync(path, 1000),
      () => appendFileSync(path, "more"),
      () => copyFileSync(`${path}.other`, path),
    ]) {
      writeFileSync(`${path}.other`, keys.provingKey)
      const error = await proveFile(change).catch((e) => e)
      expect(error).toBeInstanceOf(FileError)
      expect(error.message).toMatch(/key`: was changed while it was in use; expected \d+ bytes.*; given \d+/)
    }
  })

  it("with other points than before gives no proof, even where nothing else tells", async () => {
    const other = (await setup(circuit, { dev: true })).provingKey
    let bytes = keys.provingKey
    const { length: size } = bytes
    const read = async (from: number, length: number) => bytes.subarray(from, from + length)
    const changed = prove({ size, read }, () => {
      bytes = other
    })
    await expect(changed).rejects.toThrow(/points are wrong, or were changed/)
    await expect(changed).rejects.toBeInstanceOf(FileError)
  })

  it("can be aborted at any read, and proves again", async () => {
    let controller = new AbortController()
    let left = Number.POSITIVE_INFINITY
    let reads = 0
    const read = async (from: number, length: number) => {
      reads++
      if (--left === 0) controller.abort(new Error("stop"))
      return keys.provingKey.subarray(from, from + length)
    }
    const prover = await openProver(
      circuit,
      { size: keys.provingKey.length, read },
      { engine, residentBytes: 0 },
    )
    reads = 0
    const attempt = (signal?: AbortSignal) =>
      prover.prove(network.input, { context, clampInputs: true, ...(signal ? { signal } : {}) })
    await attempt()
    const all = reads
    const held = engine.heldBytes()
    expect(all).toBeGreaterThan(20)
    for (let at = 1; at <= all; at += 3) {
      controller = new AbortController()
      left = at
      await expect(attempt(controller.signal), `read ${at}`).rejects.toThrow("stop")
    }
    left = Number.POSITIVE_INFINITY
    expect(problemOf(circuit, keys, await attempt())).toBe(null)
    expect(engine.heldBytes()).toBe(held)
    await prover.close()
  })

  it("gives the verification key without reading its points", async () => {
    let bytes = 0
    const read = async (from: number, length: number) => {
      bytes += length
      return keys.provingKey.subarray(from, from + length)
    }
    const source = { size: keys.provingKey.length, read }
    expect(await verificationKeyOf(circuit, source)).toEqual(keys.verificationKey)
    expect(bytes).toBeLessThan(1500)
    await expect(openKeyFile(join(folder, "missing"))).rejects.toBeInstanceOf(UsageError)
  })
})

it("a large key is estimated by what streaming takes; one that does not fit is refused with the figure", async () => {
  const { linked } = (await compile((await perceptron([6, 5, 3], 6)).graph)) as MirageCircuit
  // what the rows say does not matter for the estimate
  const sized = (rows: number): typeof linked => {
    const wires = Math.ceil(1.6 * rows)
    const rowPtr = new Uint32Array(rows + 1)
    rowPtr[rows] = wires
    const side = { rowPtr, wires: new Uint32Array(wires).map((_, i) => i) }
    const { a, b } = linked.r1cs
    return { ...linked, r1cs: { ...linked.r1cs, rows, wires, a: { ...a, ...side }, b: { ...b, ...side } } }
  }
  const kept = { residentBytes: Number.POSITIVE_INFINITY }
  const large = sized(3_000_000)
  expect(proverMemory(large)).toBeLessThan(proverMemory(large, kept) / 2)
  expect(proverMemory(large, kept)).toBeLessThan(2 ** 32)
  // would not fit if it were kept, so it is not
  const larger = sized(8_000_000)
  expect(proverMemory(larger)).toBe(proverMemory(larger, kept))
  expect(() => checkMemory(larger)).not.toThrow()
  const largest = sized(16_000_000)
  expect(() => checkMemory(largest)).toThrow(/does not fit.*at most 4096 MiB; given about \d+ MiB/)
  expect(() => checkKeySize(largest)).toThrow(/does not fit into one array; expected .*; given \d+/)
  expect(() => checkKeySize(large)).not.toThrow()
  expect(() => mirageKeyQueries(largest)).toThrow(/does not fit/)
  expect(proverMemory(linked, { residentBytes: residentKeyBytes })).toBe(proverMemory(linked, kept))
}, 60_000)
