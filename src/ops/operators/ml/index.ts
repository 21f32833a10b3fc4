/** Operators of the domain ai.onnx.ml. */
import type { Lowering } from "../call.js"
import { type Operators, operator } from "../limits.js"
import { treeOperators } from "./tree-operators.js"

/** A sequence of maps from labels to scores: the tensor of the scores, whose columns are the labels in their order. */
const zipMap: Lowering = (call) => {
  call.ignore("classlabels_int64s", "classlabels_strings")
  return [call.input(0)]
}

export const mlOperators: Operators = {
  ...treeOperators,
  ZipMap: operator(zipMap),
}
