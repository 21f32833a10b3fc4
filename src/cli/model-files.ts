/**
 * A model from the files it consists of: one .onnx, .keras or .h5, or a model.json of tfjs and the weight files that it
 * names. Those names are somebody else's word: only regular files inside the folder of model.json are opened,
 * whatever links lead there, and nothing is read before the sizes are what the manifest says.
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readSync,
  realpathSync,
  type Stats,
  statSync,
} from "node:fs"
import { dirname, isAbsolute, join, relative, sep, win32 } from "node:path"
import { FileError, ModelError, UsageError } from "../errors.js"
import { cutGraph } from "../model/cut.js"
import type { Graph } from "../model/graph.js"
import { importKeras, isKeras } from "../model/keras/keras.js"
import { limits } from "../model/limits.js"
import { importTfjs } from "../model/tfjs/tfjs.js"
import { readManifest } from "../model/tfjs/weights.js"
import { importOnnx } from "../ops/import.js"
import { mostBytes, refusalOf } from "../platform.js"
import { parseJson } from "../quantize/calibration/samples.js"

export interface ReadOptions {
  /** Values of open dimensions, as of importOnnx, importTfjs and importKeras. */
  readonly dimensions?: Readonly<Record<string, number>>
  /** Tensors at which the model ends, instead of its own outputs. */
  readonly outputs?: readonly string[] | undefined
}

/**
 * Reads a model; a name that ends in .json is one of tfjs, and Keras's files are known by how they begin.
 * @throws UsageError for a file that is not there, FileError for one that is not what it should be, ModelError
 * for its content and for weight files outside its folder
 */
export function readModel(path: string, { dimensions = {}, outputs }: ReadOptions = {}): Graph {
  const options = { file: path, dimensions }
  const bytes = readFiles([path], (size) => {
    if (size > limits.bytes)
      throw new FileError({
        what: "the file is too large",
        where: `\`${path}\``,
        expected: `at most ${limits.bytes} bytes`,
        given: String(size),
      })
  })
  if (isKeras(bytes)) {
    const graph = importKeras(bytes, options)
    return outputs ? cutGraph(graph, outputs) : graph
  }
  if (!path.endsWith(".json")) return importOnnx(bytes, { ...options, ...(outputs && { outputs }) })
  const model = parseJson(bytes, path)
  const manifest = (model as { weightsManifest?: unknown } | null)?.weightsManifest
  const graph = importTfjs(model, readWeights(manifest, dirname(path), path), options)
  return outputs ? cutGraph(graph, outputs) : graph
}

/** The bytes of all weight files in the order of the manifest. */
function readWeights(manifest: unknown, folder: string, where: string): Uint8Array {
  const groups = readManifest(manifest, where)
  const files = groups.map(({ paths }) => paths.map((path) => confined(folder, path, where)))
  const parts = groups.map(({ bytes }, i) =>
    readFiles(files[i], (size) => {
      if (size !== bytes)
        throw new ModelError({
          what: `the weight files of group ${i} do not have the size of their weights`,
          where,
          expected: `${bytes} bytes`,
          given: `${size} bytes`,
        })
    }),
  )
  return parts.length === 1 ? parts[0] : Buffer.concat(parts)
}

/** The real path of a weight file. @throws ModelError unless it lies in the folder */
function confined(folder: string, path: string, where: string): string {
  const title = JSON.stringify(path.slice(0, 200))
  const refuse = (what: string): never => {
    throw new ModelError({
      what: `the weight file ${title} ${what}`,
      where,
      expected: "the name of a file in the folder of model.json",
    })
  }
  if (path === "" || path.includes("\0")) refuse("has no name that a file can have")
  if (isAbsolute(path) || win32.isAbsolute(path) || /^[a-z]:/i.test(path))
    refuse("is named by an absolute path")
  if (path.split(/[\\/]/).includes("..")) refuse("lies outside the model's folder")
  let [root, real] = ["", ""]
  try {
    root = realpathSync(folder)
    real = realpathSync(join(folder, path))
  } catch (error) {
    refuse(refusalOf(error))
  }
  const inside = relative(root, real)
  if (inside === "" || inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside))
    refuse("is a link that leads out of the model's folder")
  return real
}

/**
 * The bytes of regular files, one after another. `judge` throws for a total size that is not wanted, before
 * anything is read. Devices, pipes and folders are refused without waiting for them.
 */
function readFiles(paths: readonly string[], judge: (bytes: number) => void): Uint8Array {
  const sizes = paths.map((path) => fileSize(path, () => statSync(path)))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  judge(total)
  const bytes = new Uint8Array(total)
  let at = 0
  for (const [i, path] of paths.entries()) {
    // without waiting for the writer of a pipe that took the file's place
    const file = attempt(path, () => openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)))
    try {
      if (fileSize(path, () => fstatSync(file)) !== sizes[i])
        throw new FileError({ what: "changed while it was read", where: `\`${path}\`` })
      for (const end = at + sizes[i]; at < end; ) {
        const count = attempt(path, () => readSync(file, bytes, at, Math.min(end - at, mostBytes), null))
        if (count === 0) throw new FileError({ what: "changed while it was read", where: `\`${path}\`` })
        at += count
      }
    } finally {
      closeSync(file)
    }
  }
  return bytes
}

/** The size of a regular file. */
function fileSize(path: string, status: () => Stats): number {
  const found = attempt(path, status)
  if (!found.isFile()) throw new FileError({ what: "is no regular file", where: `\`${path}\`` })
  return found.size
}

/** A call to the file system; what fails is the caller's mistake. */
function attempt<T>(path: string, call: () => T): T {
  try {
    return call()
  } catch (error) {
    throw new UsageError({ what: refusalOf(error), where: `\`${path}\`` })
  }
}
