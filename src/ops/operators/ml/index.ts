/** Operators of the domain ai.onnx.ml. */
import type { Lowering } from "../call.js"
import { type Operators, operator } from "../limits.js"
import { unsupported } from "../shapes.js"
import { isConstant } from "../values.js"
import { classesOf } from "./classes.js"
import { featureOperators } from "./features.js"
import { labelOperators } from "./labels.js"
import { linearOperators } from "./linear-operators.js"
import { svmOperators } from "./svm.js"
import { treeOperators } from "./tree-operators.js"

/** A sequence of maps from labels to scores: the tensor of the scores, whose columns have the labels' names. */
const zipMap: Lowering = (call) => {
  const x = call.input(0)
  const { labels, names } = classesOf(call, "classlabels_int64s", "classlabels_strings")
  if (x.shape[x.shape.length - 1] !== labels.length)
    unsupported(`${labels.length} labels of ${x.shape[x.shape.length - 1]} columns`)
  return [isConstant(x) ? x : { ...x, labels: { of: "columns", names: names ?? labels.map(String) } }]
}

export const mlOperators: Operators = {
  ...featureOperators,
  ...labelOperators,
  ...linearOperators,
  ...svmOperators,
  ...treeOperators,
  ZipMap: operator(zipMap),
}
