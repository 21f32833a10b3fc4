/**
 * A device multiplies: products of matrices and convolutions in float32, and nothing else. That is where the work of a
 * model is; all other primitives run in plain loops over a batch (batch.ts), so that every primitive is covered on every
 * backend, and a device that lacks an operation falls to the loops for the nodes that need it.
 *
 * Nothing here trusts a device. Its integers are checked (products.ts), its reals are compared when it is chosen
 * (backends.ts), and whatever it throws becomes a DeviceFailure, which passes it over.
 */

export const backendNames = ["loops", "wasm", "webgpu", "node-gpu"] as const
/** What runs a model: plain loops in doubles, or one of three devices. */
export type BackendName = (typeof backendNames)[number]

export const deviceNames = ["wasm", "webgpu", "node-gpu"] as const satisfies readonly BackendName[]
export type DeviceName = (typeof deviceNames)[number]

/** Numbers on a device. */
export interface Loaded {
  dispose(): void
}

export interface ConvShape {
  readonly strides: readonly [number, number]
  readonly dilations: readonly [number, number]
}

export interface Device {
  readonly name: DeviceName
  /** What it is, for people: an adapter, a package. */
  readonly description: string
  /** Whether it is an adapter for graphics in software, which nothing is faster on. */
  readonly inSoftware?: boolean | undefined
  readonly operations: ReadonlySet<"matmul" | "conv" | "depthwise">
  /** Numbers of a row-major tensor. */
  load(values: Float32Array, shape: readonly number[]): Loaded
  /** Products of matrices: [b, m, k] by [b, k, n], or of b matrices by one, [1, k, n]; gives [b, m, n]. */
  matmul(left: Loaded, right: Loaded): Promise<Float32Array>
  /** x [n, h, w, in], filter [kh, kw, in, out], no padding; gives [n, h', w', out]. */
  conv(x: Loaded, filter: Loaded, shape: ConvShape): Promise<Float32Array>
  /** x [n, h, w, in], filter [kh, kw, in, times], no padding; gives [n, h', w', in · times]. */
  depthwise(x: Loaded, filter: Loaded, shape: ConvShape): Promise<Float32Array>
  close(): Promise<void>
}

/** Why a device is passed over: what it threw, or what was wrong with its numbers. */
export class DeviceFailure extends Error {
  override name = "DeviceFailure"
}

/** Numbers that are wrong. */
export class WrongNumbers extends DeviceFailure {
  override name = "WrongNumbers"
}

/** A package that is not installed. */
export class MissingDevice extends DeviceFailure {
  override name = "MissingDevice"
}

/** What a device threw, as its failure. */
export function failureOf(error: unknown): DeviceFailure {
  if (error instanceof DeviceFailure) return error
  return new DeviceFailure(error instanceof Error ? error.message : String(error), { cause: error })
}
