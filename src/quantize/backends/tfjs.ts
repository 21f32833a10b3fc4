/**
 * Devices on tfjs. Its backends are settings of a whole process: each operation sets its own for the moment in which it
 * is asked for, and what was set before stays, whoever else uses tfjs. A tensor remembers the backend that has it, so
 * reading needs no setting.
 *
 * The packages of `webgpu` and `node-gpu` are optional; the first is asked for under names that no bundler resolves, so that
 * a page has of them what it passes in itself.
 */
import type { Tensor, Tensor3D, Tensor4D } from "@tensorflow/tfjs-core"
import { Failure } from "../../failure.js"
import { isNode } from "../../platform.js"
import {
  type Device,
  DeviceFailure,
  type DeviceName,
  failureOf,
  type Loaded,
  MissingDevice,
} from "./device.js"

type Tf = typeof import("@tensorflow/tfjs-core")

/** Gives the module of an optional package, or throws. */
export type LoadPackage = (name: string) => Promise<unknown>

const byName: LoadPackage = (name) => import(/* @vite-ignore */ name)

/** Starts a device. @throws DeviceFailure if it is missing or does not start */
export async function startDevice(name: DeviceName, load: LoadPackage = byName): Promise<Device> {
  try {
    const tf = await import("@tensorflow/tfjs-core")
    return await starts[name](tf, load)
  } catch (error) {
    throw failureOf(error)
  }
}

async function optional(load: LoadPackage, name: string): Promise<unknown> {
  try {
    return await load(name)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const isMissing = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND"
    if (isMissing || (!isNode && error instanceof TypeError))
      throw new MissingDevice(`\`${name}\` is not installed`)
    throw new DeviceFailure(`\`${name}\` does not load: ${message}`, { cause: error })
  }
}

const starts: Record<DeviceName, (tf: Tf, load: LoadPackage) => Promise<Device>> = {
  async wasm(tf) {
    const wasm = await import("@tensorflow/tfjs-backend-wasm")
    if (!tf.engine().registryFactory.wasm) throw new DeviceFailure("it belongs to another tfjs")
    if (isNode) {
      const { wasmFolder } = await import("./node.js")
      // One thread: threads of the backend would outlive the call and keep the process alive.
      if (tf.engine().registry.wasm === undefined) {
        tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false)
        wasm.setWasmPaths(wasmFolder())
      }
    }
    return await tfDevice(tf, { name: "wasm", backend: "wasm", description: "WebAssembly, one thread" })
  },

  async webgpu(tf, load) {
    const found = tf.engine().registry.webgpu as WebgpuBackend | undefined
    if (found) {
      const description = "WebGPU, as the page set it up"
      return await tfDevice(tf, {
        name: "webgpu",
        backend: "webgpu",
        description,
        loss: lossOf(found.device),
      })
    }
    const gpu = isNode ? await nodeGpu(load) : (navigator as { gpu?: Gpu }).gpu
    if (!gpu) throw new MissingDevice("this browser has no WebGPU")
    const adapter = await gpu.requestAdapter({ powerPreference: "high-performance" })
    if (!adapter) throw new DeviceFailure("there is no WebGPU adapter")
    // the package registers a start of its own, which knows nothing of this device
    const before = registered(tf, "webgpu")
    const { WebGPUBackend } = (await optional(load, "@tensorflow/tfjs-backend-webgpu")) as WebgpuPackage
    const restore = () => {
      if (registered(tf, "webgpu")) tf.removeBackend("webgpu")
      if (before) tf.registerBackend("webgpu", before)
    }
    let device: GpuDevice | undefined
    const end = () => {
      restore()
      device?.destroy()
    }
    try {
      device = await adapter.requestDevice({
        requiredLimits: Object.fromEntries(limits.map((limit) => [limit, adapter.limits[limit]])),
      })
      const backend = new WebGPUBackend(device, adapter.info)
      if (registered(tf, "webgpu")) tf.removeBackend("webgpu")
      tf.registerBackend("webgpu", () => backend)
      const { vendor = "", architecture = "", description: about = "" } = adapter.info ?? {}
      const description = [vendor, architecture, about].filter((part) => part !== "").join(" ") || "WebGPU"
      const inSoftware = adapter.info?.isFallbackAdapter === true
      const start = { name: "webgpu", backend: "webgpu", description, inSoftware } as const
      return await tfDevice(tf, { ...start, loss: lossOf(device), end })
    } catch (error) {
      end()
      throw error
    }
  },

  async "node-gpu"(tf, load) {
    if (!isNode) throw new MissingDevice("it is for Node")
    let used = "@tensorflow/tfjs-node-gpu"
    if (!tf.findBackend("tensorflow")) {
      try {
        await optional(load, used)
      } catch (first) {
        used = "@tensorflow/tfjs-node"
        await optional(load, used).catch((second: unknown) => {
          throw first instanceof MissingDevice ? second : first
        })
      }
      if (!tf.findBackend("tensorflow")) throw new DeviceFailure(`\`${used}\` belongs to another tfjs`)
    }
    return await tfDevice(tf, { name: "node-gpu", backend: "tensorflow", description: used })
  },
}

/** What starts a backend, if it is known. */
const registered = (tf: Tf, name: string) =>
  Object.hasOwn(tf.engine().registryFactory, name) ? tf.engine().registryFactory[name].factory : undefined

/** What of WebGPU is asked here. */
interface Gpu {
  requestAdapter(options: object): Promise<{
    readonly limits: Readonly<Record<string, number>>
    readonly info?: {
      readonly vendor?: string
      readonly architecture?: string
      readonly description?: string
      readonly isFallbackAdapter?: boolean
    }
    requestDevice(options: object): Promise<GpuDevice>
  } | null>
}
interface GpuDevice {
  readonly lost: Promise<{ readonly message: string }>
  destroy(): void
}
type WebgpuBackend = import("@tensorflow/tfjs-core").KernelBackend & { readonly device: GpuDevice }
interface WebgpuPackage {
  readonly WebGPUBackend: new (device: GpuDevice, info: unknown) => WebgpuBackend
}

const limits = [
  "maxComputeWorkgroupStorageSize",
  "maxComputeWorkgroupsPerDimension",
  "maxStorageBufferBindingSize",
  "maxBufferSize",
  "maxComputeWorkgroupSizeX",
  "maxComputeInvocationsPerWorkgroup",
]

/** WebGPU in Node: Dawn. The package of tfjs expects it, and its constants, where browsers have them. */
async function nodeGpu(load: LoadPackage): Promise<Gpu> {
  const dawn = (await optional(load, "webgpu")) as {
    create(options: readonly string[]): Gpu
    readonly globals: Record<string, unknown>
  }
  // one for a process: of two the driver may fail when it ends
  const found = typeof navigator === "object" ? (navigator as { gpu?: Gpu }).gpu : undefined
  if (found) return found
  const gpu = dawn.create([])
  const define = (target: object, name: string, value: unknown) => {
    if (!(name in target)) Object.defineProperty(target, name, { value, configurable: true, writable: true })
  }
  for (const [name, value] of Object.entries(dawn.globals)) define(globalThis, name, value)
  define(globalThis, "navigator", {})
  define(navigator, "gpu", gpu)
  return gpu
}

/** Comes when the device is lost. */
function lossOf(device: GpuDevice): Failure {
  const loss = new Failure()
  device.lost.then(({ message }) =>
    loss.fail(new DeviceFailure(`the device was lost: ${message.trim() || "no reason is given"}`)),
  )
  return loss
}

interface Start {
  readonly name: DeviceName
  /** As tfjs calls it. */
  readonly backend: string
  readonly description: string
  readonly inSoftware?: boolean
  readonly loss?: Failure
  readonly end?: () => void
}

const kernels = { matmul: "BatchMatMul", conv: "Conv2D", depthwise: "DepthwiseConv2dNative" } as const

async function tfDevice(
  tf: Tf,
  { name, backend, description, inSoftware, loss, end }: Start,
): Promise<Device> {
  const before = tf.engine().backendName
  if (!(await tf.setBackend(backend))) throw new DeviceFailure(`tfjs cannot start \`${backend}\``)
  await tf.ready()
  if (before && before !== backend) await tf.setBackend(before)
  // with a backend that has started already, setBackend is done when it returns
  const at = <T>(work: () => T): T => {
    const current = tf.engine().backendName
    if (current !== backend) void tf.setBackend(backend)
    try {
      return work()
    } catch (error) {
      throw failureOf(error)
    } finally {
      if (current && current !== backend) void tf.setBackend(current)
    }
  }
  const read = async (make: () => Tensor): Promise<Float32Array> => {
    const result = at(() => tf.tidy(make))
    try {
      const data = result.data() as Promise<Float32Array>
      return await (loss ? loss.orFail(data) : data)
    } catch (error) {
      throw failureOf(error)
    } finally {
      result.dispose()
    }
  }
  const operations = new Set(
    (Object.keys(kernels) as (keyof typeof kernels)[]).filter((key) => tf.getKernel(kernels[key], backend)),
  )
  return {
    name,
    description,
    inSoftware,
    operations,
    load: (values, shape): Loaded => at(() => tf.tensor(values, [...shape], "float32")),
    matmul: (left, right) => read(() => tf.matMul(left as Tensor3D, right as Tensor3D)),
    conv: (x, filter, { strides, dilations }) =>
      read(() => tf.conv2d(x as Tensor4D, filter as Tensor4D, [...strides], "valid", "NHWC", [...dilations])),
    depthwise: (x, filter, { strides, dilations }) =>
      read(() =>
        tf.depthwiseConv2d(x as Tensor4D, filter as Tensor4D, [...strides], "valid", "NHWC", [...dilations]),
      ),
    async close() {
      end?.()
    },
  }
}
