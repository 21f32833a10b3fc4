/** The kernel modules without pool or engine, for tests. */
import { readFile } from "node:fs/promises"
import { setFlagsFromString } from "node:v8"

export const variants = ["scalar", "relaxed"] as const
export type Variant = (typeof variants)[number]

export interface RawModule {
  readonly exports: Record<string, (...args: number[]) => number>
  readonly bytes: Uint8Array
}

export const wasmOf = (variant: Variant): Promise<Uint8Array<ArrayBuffer>> =>
  readFile(new URL(`../../dist/prover/kernels/${variant}.wasm`, import.meta.url))

// off by default in Node 20
setFlagsFromString("--experimental-wasm-relaxed-simd")

/** An instance over a memory of its own, of 16 MiB. */
export async function openModule(variant: Variant): Promise<RawModule> {
  const memory = new WebAssembly.Memory({ initial: 256, maximum: 65_535, shared: true })
  const { instance } = await WebAssembly.instantiate(await wasmOf(variant), { env: { memory } })
  return { exports: instance.exports as RawModule["exports"], bytes: new Uint8Array(memory.buffer) }
}

/** 32 bytes little endian. */
export function bytesOf(x: bigint): Uint8Array {
  const bytes = new Uint8Array(32)
  const words = new DataView(bytes.buffer)
  for (let at = 0; at < 32; at += 8, x >>= 64n) words.setBigUint64(at, BigInt.asUintN(64, x), true)
  return bytes
}

export function bigintOf(bytes: Uint8Array): bigint {
  let x = 0n
  for (let i = bytes.length - 1; i >= 0; i--) x = (x << 8n) | BigInt(bytes[i])
  return x
}
