/**
 * TopK: values and positions of the largest or smallest elements along an axis. Of equal elements the one with the lower
 * index comes first, as in ONNX; of elements that quantization makes equal, too. The order of the results, which `sorted` = 0
 * leaves open, is always the same.
 */

import { evaluate } from "../evaluate.js"
import { type Program, sizeOf, type TopNode } from "../program.js"
import type { Lowering } from "./call.js"
import { constantInput, type Operators, operator } from "./limits.js"
import { windowMax, windowPosition, windowsOf } from "./reduce.js"
import { indexTable, show, unsupported } from "./shapes.js"
import { constant, isConstant, isIntegral, type Value } from "./values.js"

const topK: Lowering = (call) => {
  const { builder } = call
  const x = call.input(0)
  const axis = call.axis("axis", x.shape.length, -1)
  const count = call.opset >= 10 ? call.scalarInput(1, "k", 0) : call.integer("k")
  const isLargest = call.opset >= 11 ? call.flag("largest", true) : true
  if (call.opset >= 11) call.flag("sorted", true)
  const length = x.shape[axis]
  if (!(Number.isInteger(count) && count >= 1 && count <= length))
    unsupported(`the ${count} largest of ${length} elements along axis ${axis} of ${show(x.shape)}`)
  const windows = windowsOf(builder, x.shape, [axis], true)
  const sign = isLargest ? 1 : -1
  if (count === 1) return [windowMax(call, x, windows, sign), windowPosition(call, x, windows, sign, false)]
  const signed = (value: Value): Value => (isLargest ? value : builder.combine([{ value, factor: -1 }]))
  const source = signed(x)
  const shape = x.shape.map((dim, i) => (i === axis ? count : dim))
  // windows are in the order of all other axes: back to that of the shape
  const inner = sizeOf(x.shape.slice(axis + 1))
  const order = indexTable(builder, sizeOf(shape), (i) => {
    const [outer, at] = [Math.floor(i / (count * inner)), Math.floor(i / inner) % count]
    return (outer * inner + (i % inner)) * count + at
  })
  const { map, window } = windows
  const top = (gives: TopNode["gives"]): Value => {
    const dtype = gives === "values" ? x.dtype : "int64"
    const rows = [map.length / window, count]
    const node = { kind: "top", window, map, count, gives } as const
    const found = isConstant(source)
      ? constant(rows, folded({ ...node, source: 0 }, source.constant, rows), dtype)
      : builder.emit(
          { ...node, source: source.tensor },
          rows,
          dtype,
          gives === "positions" || isIntegral(source),
        )
    return builder.move([found], order, shape)
  }
  return [signed(top("values")), top("positions")]
}

/** What the node gives of a constant. */
function folded(
  node: Omit<TopNode, "out" | "origin">,
  x: Float64Array,
  shape: readonly number[],
): Float64Array {
  const origin = { name: "", operator: "" }
  const tensors: Program["tensors"] = [
    { name: "x", shape: [x.length] },
    { name: "top", shape },
  ]
  const nodes: Program["nodes"] = [
    { kind: "input", name: "x", out: 0, origin },
    { ...node, out: 1, origin },
  ]
  return evaluate({ tensors, nodes }, { x }).get(1) ?? unsupported("a constant without values")
}

export const ordering: Operators = { TopK: operator(topK, constantInput(1, "K")) }
