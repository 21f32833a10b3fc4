/**
 * Reading a model that is to be proven. A file that cannot be read is refused with all that is wrong with it, and that
 * includes the operators that could not be proven if it were read.
 */
import type { Graph } from "../model/graph.js"
import { type ImportOptions, importOnnx as readOnnx } from "../model/onnx/onnx.js"
import { isSupported, notSupported } from "./lower.js"
import { remedyOf } from "./remedies.js"

/**
 * Reads an ONNX model.
 * @throws ModelError with every problem of the file, and every operator in it that is not supported; UsageError for
 * wrong arguments
 */
export const importOnnx = (bytes: Uint8Array, options: ImportOptions = {}): Graph =>
  readOnnx(bytes, options, (node) =>
    isSupported(node) ? undefined : { reason: notSupported, help: remedyOf(node) },
  )
