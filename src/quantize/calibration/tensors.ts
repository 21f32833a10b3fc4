/**
 * Calibration on tensor operations: the real program in float32, a batch of samples at once, on tfjs. Large
 * models calibrate several times faster than with plain loops; scales come out the same, because ranges are
 * rounded more coarsely than float32 errs.
 */
import { createRequire } from "node:module"
import { dirname, join } from "node:path"
import type { Tensor, Tensor2D, Tensor4D } from "@tensorflow/tfjs-core"
import { InvariantError, invariant } from "../../errors.js"
import { evaluate } from "../../ops/evaluate.js"
import { functionOf } from "../../ops/formula.js"
import { applyMap, productsOf } from "../../ops/linearmap.js"
import {
  compared,
  type LinearMap,
  type PerKind,
  type Program,
  perKind,
  productsIn,
  type RealNode,
  type RowsNode,
  sizeOf,
  type TensorId,
  type TopNode,
} from "../../ops/program.js"
import { readersOf, sourcesOf } from "../../ops/traversal.js"
import { plainRunner, type Runner, type Sample } from "./calibrate.js"

type Tf = typeof import("@tensorflow/tfjs-core")
type ConvMap = Extract<LinearMap, { kind: "conv" }>

/** Multiplications below which starting a tensor backend costs more than it saves. */
const worthwhile = 2e8

/** The runner to calibrate with: plain loops for little work or where no backend starts, else tensors. */
export async function chooseRunner(program: Program, samples: number): Promise<Runner> {
  let work = 0
  for (const node of program.nodes) {
    if (node.kind === "linear") for (const { map } of node.terms) work += productsOf(map)
    else if (node.kind === "contraction") work += productsIn(node)
  }
  return work * samples < worthwhile ? plainRunner : tensorRunner().catch(() => plainRunner)
}

/** A runner on tfjs: `@tensorflow/tfjs-node-gpu` where it is installed, else WebAssembly. */
export async function tensorRunner(): Promise<Runner> {
  const tf = await import("@tensorflow/tfjs-core")
  const backend = await startBackend(tf)
  return async (program, samples, visit) => {
    // The backend is a setting of the whole process: leave it as it was found.
    const before = tf.engine().backendName
    await tf.setBackend(backend)
    tf.engine().startScope()
    try {
      new BatchRun(tf, program, samples).run(visit)
    } finally {
      tf.engine().endScope()
      if (before && before !== backend) await tf.setBackend(before)
    }
  }
}

async function startBackend(tf: Tf): Promise<string> {
  // Not a dependency: its installation downloads a native library. A name that the compiler cannot resolve.
  const gpu: string = "@tensorflow/tfjs-node-gpu"
  try {
    await import(gpu)
    if (tf.findBackend("tensorflow")) return "tensorflow"
  } catch {
    // not installed, or without a device
  }
  const wasm = await import("@tensorflow/tfjs-backend-wasm")
  if (!tf.engine().registryFactory.wasm) throw new InvariantError("the WASM backend belongs to another tfjs")
  const main = createRequire(import.meta.url).resolve("@tensorflow/tfjs-backend-wasm")
  // One thread: threads of the backend would outlive the call and keep the process alive.
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false)
  wasm.setWasmPaths(join(dirname(main), "/"))
  return "wasm"
}

/** Elements of the padded input of a convolution that a backend may be given. */
const mostPadded = 2 ** 26

/** One batch through a program; every tensor is [B, size], flat and row-major per sample. */
class BatchRun {
  readonly #tf: Tf
  readonly #program: Program
  readonly #samples: readonly Sample[]
  readonly #values = new Map<TensorId, Tensor2D>()

  constructor(tf: Tf, program: Program, samples: readonly Sample[]) {
    this.#tf = tf
    this.#program = program
    this.#samples = samples
  }

  run(visit: (tensor: TensorId, values: ArrayLike<number>) => void): void {
    const { nodes, tensors } = this.#program
    const left = readersOf({ nodes, outputs: [] })
    for (const node of nodes) {
      const value = this.#tf.tidy(() => perKind(this.#operations, node, sizeOf(tensors[node.out].shape)))
      visit(node.out, value.dataSync())
      this.#values.set(node.out, value)
      for (const id of [...sourcesOf(node), node.out]) {
        const remaining = (left.get(id) ?? 0) - (id === node.out ? 0 : 1)
        left.set(id, remaining)
        if (remaining === 0) {
          this.#values.get(id)?.dispose()
          this.#values.delete(id)
        }
      }
    }
  }

  #read(id: TensorId): Tensor2D {
    const value = this.#values.get(id)
    invariant(value, `tensor ${id} is read before it is written`)
    return value
  }

  /** A node's output over the batch; `size` is its number of elements. */
  readonly #operations: PerKind<RealNode, [size: number], Tensor2D> = {
    input: (node, size) => {
      const batch = this.#samples.length
      const data = new Float32Array(batch * size)
      this.#samples.forEach((sample, i) => {
        data.set(sample[node.name], i * size)
      })
      return this.#tf.tensor2d(data, [batch, size])
    },
    linear: (node, size) => {
      const tf = this.#tf
      const parts: Tensor2D[] = node.terms.map(({ source, map }) =>
        this.#linear(map, this.#read(source), size),
      )
      if (node.bias) parts.push(tf.tensor2d(Float32Array.from(node.bias), [1, size]))
      return parts.reduce((a, b) => tf.add(a, b), tf.zeros([this.#samples.length, size]))
    },
    index: (node) => {
      const sources = node.sources.map((id) => this.#read(id))
      return this.#gather(sources, node.map, node.fill)
    },
    clamp: (node) => {
      const x = this.#tf.maximum(this.#read(node.source), node.lo)
      return this.#tf.minimum(x, node.hi)
    },
    round: (node) => {
      const x = this.#tf.maximum(this.#tf.round(this.#read(node.source)), node.lo)
      return this.#tf.minimum(x, node.hi)
    },
    step: (node) => this.#tf.cast(this.#tf.greater(this.#read(node.source), 0), "float32"),
    compare: (node, size) =>
      this.#plain(this.#read(node.source), size, (x, y) => {
        for (let i = 0; i < y.length; i++) y[i] = compared(node, x[i], i)
      }),
    softmax: (node) => {
      const rows = this.#tf.reshape(this.#read(node.source), [-1, node.window])
      return this.#tf.reshape(this.#tf.softmax(rows), this.#read(node.source).shape)
    },
    max: (node, size) => {
      const tf = this.#tf
      const windows = this.#gather([this.#read(node.source)], node.map, Number.NEGATIVE_INFINITY)
      return tf.max(tf.reshape(windows, [this.#samples.length, size, node.window]), 2)
    },
    argmax: (node, size) =>
      this.#plain(this.#read(node.source), size, (x, y) => {
        for (let i = 0; i < y.length; i++) {
          const at = (j: number) => x[node.map[i * node.window + j]]
          for (let j = 1; j < node.window; j++)
            if (at(j) > at(y[i]) || (node.last && at(j) === at(y[i]))) y[i] = j
        }
      }),
    rows: (node, size) => this.#loops(node, size),
    top: (node, size) => this.#loops(node, size),
    function: (node, size) => {
      const f = functionOf(node.formula)
      return this.#plain(this.#read(node.source), size, (x, y) => {
        for (let i = 0; i < y.length; i++) y[i] = f(x[i])
      })
    },
    product: (node) => this.#tf.mul(this.#read(node.left), this.#read(node.right)),
    contraction: ({ left, right, m, k, n, ...node }, size) => {
      const tf = this.#tf
      const samples = this.#samples.length
      const matrices = samples * node.batch
      const [x, y] = [
        tf.reshape(this.#read(left), [matrices, m, k]),
        tf.reshape(this.#read(right), [matrices, k, n]),
      ]
      return tf.reshape(tf.matMul(x, y), [samples, size])
    },
    divide: (node) => this.#tf.div(this.#read(node.numerator), this.#read(node.denominator)),
    root: (node) => this.#tf.sqrt(this.#read(node.source)),
  }

  /** Columns of the joined sources, with a column of `fill` for entries of −1. */
  #gather(sources: readonly Tensor2D[], map: Int32Array, fill: number): Tensor2D {
    const tf = this.#tf
    const batch = this.#samples.length
    const total = sources.reduce((n, source) => n + source.shape[1], 0)
    const joined = tf.concat([...sources, tf.fill([batch, 1], fill) as Tensor2D], 1)
    const columns = map.map((from) => (from < 0 ? total : from))
    return tf.gather(joined, tf.tensor1d(columns, "int32"), 1)
  }

  #linear(map: LinearMap, x: Tensor2D, size: number): Tensor2D {
    const tf = this.#tf
    const batch = this.#samples.length
    if (map.kind === "dense") {
      const { n, k, m } = map
      const weight = tf.tensor2d(Float32Array.from(map.weight), [m, k])
      return tf.reshape(tf.matMul(tf.reshape(x, [batch * n, k]), weight, false, true), [batch, size])
    }
    if (map.kind === "conv" && isPlanar(map, batch)) return this.#convolution(map, x, size)
    return this.#plain(x, size, (from, to) => applyMap(map, from, to))
  }

  /** Convolution in the layout of tfjs: channels last, and padding made explicit. */
  #convolution(map: ConvMap, x: Tensor2D, size: number): Tensor2D {
    const tf = this.#tf
    const { n, groups, inChannels, outChannels } = map
    const planar = <T>(list: readonly T[], one: T): [T, T] =>
      list.length === 1 ? [one, list[0]] : [list[0], list[1]]
    const inSize = planar(map.inSize, 1)
    const [outSize, kernel, strides] = [planar(map.outSize, 1), planar(map.kernel, 1), planar(map.strides, 1)]
    const [pads, dilations] = [planar(map.padsBegin, 0), planar(map.dilations, 1)]
    const images: Tensor4D = tf.reshape(x, [this.#samples.length * n, inChannels, ...inSize])
    // Exactly the extent that the output positions read: padded or cut at either end.
    const extent = outSize.map((out, i) => (out - 1) * strides[i] + (kernel[i] - 1) * dilations[i] + 1)
    const after = extent.map((length, i) => length - pads[i] - inSize[i])
    const padding = [0, 1].map((i): [number, number] => [Math.max(0, pads[i]), Math.max(0, after[i])])
    const padded = tf.pad(tf.transpose<Tensor4D>(images, [0, 2, 3, 1]), [
      [0, 0],
      padding[0],
      padding[1],
      [0, 0],
    ])
    const begin = [0, Math.max(0, -pads[0]), Math.max(0, -pads[1]), 0]
    const cut: Tensor4D = tf.slice(padded, begin, [-1, extent[0], extent[1], -1])
    const weight = Float32Array.from(map.weight)
    const perGroup = inChannels / groups
    let out: Tensor4D
    if (groups > 1 && perGroup === 1) {
      const filter: Tensor4D = tf.tensor4d(weight, [groups, outChannels / groups, ...kernel])
      out = tf.depthwiseConv2d<Tensor4D>(
        cut,
        tf.transpose<Tensor4D>(filter, [2, 3, 0, 1]),
        strides,
        "valid",
        "NHWC",
        dilations,
      )
    } else {
      const filter = tf.transpose<Tensor4D>(
        tf.tensor4d(weight, [outChannels, perGroup, ...kernel]),
        [2, 3, 1, 0],
      )
      const filters = groups === 1 ? [filter] : tf.split<Tensor4D>(filter, groups, 3)
      const inputs: Tensor4D[] = groups === 1 ? [cut] : tf.split<Tensor4D>(cut, groups, 3)
      const parts = inputs.map((part, i) =>
        tf.conv2d<Tensor4D>(part, filters[i], strides, "valid", "NHWC", dilations),
      )
      out = parts.length === 1 ? parts[0] : tf.concat(parts, 3)
    }
    return tf.reshape(tf.transpose(out, [0, 3, 1, 2]), [this.#samples.length, size])
  }

  /** A node of one source in plain loops. */
  #loops(node: RowsNode | TopNode, size: number): Tensor2D {
    const input = { kind: "input", name: "x", out: 0, origin: node.origin } as const
    const nodes = [input, { ...node, source: 0, out: 1 }]
    return this.#plain(this.#read(node.source), size, (x, y) => {
      const tensors = [x, y].map(({ length }) => ({ name: "", shape: [length] }))
      y.set(evaluate({ tensors, nodes }, { x }).get(1) ?? [])
    })
  }

  /** What tfjs has no operation for: plain loops over each sample. */
  #plain(x: Tensor, size: number, apply: (x: Float32Array, y: Float64Array) => void): Tensor2D {
    const batch = this.#samples.length
    const data = x.dataSync() as Float32Array
    const from = data.length / batch
    const out = new Float32Array(batch * size)
    for (let i = 0; i < batch; i++) {
      const y = new Float64Array(size)
      apply(data.subarray(i * from, (i + 1) * from), y)
      out.set(y, i * size)
    }
    return this.#tf.tensor2d(out, [batch, size])
  }
}

/**
 * Whether tfjs has the convolution: one or two axes, not both strided and dilated, and an input that its
 * padding leaves at a size to be held.
 */
function isPlanar(map: ConvMap, batch: number): boolean {
  const { inSize, strides, dilations } = map
  if (inSize.length !== 1 && inSize.length !== 2) return false
  if (strides.some((s) => s !== 1) && dilations.some((d) => d !== 1)) return false
  const padded = inSize.reduce(
    (product, size, i) => product * Math.max(size + map.padsBegin[i], extentOf(map, i)),
    1,
  )
  return batch * map.n * map.inChannels * padded <= mostPadded
}

/** How far the output positions of an axis reach from its first tap. */
const extentOf = ({ outSize, strides, kernel, dilations }: ConvMap, axis: number): number =>
  (outSize[axis] - 1) * strides[axis] + (kernel[axis] - 1) * dilations[axis] + 1
