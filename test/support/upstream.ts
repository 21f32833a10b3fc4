/** Operator tests in the upstream layout (model.onnx, test_data_set_0/input_*.pb) and recorded references. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import type { Graph, Tensor } from "#src/model/graph.js"
import { limits } from "#src/model/limits.js"
import { decodeMessage, type TensorProto } from "#src/model/onnx/schema.js"
import { decodeTensor } from "#src/model/onnx/tensor.js"
import { evaluate } from "#src/ops/evaluate.js"
import { lower } from "#src/ops/lower.js"
import type { Program } from "#src/ops/program.js"

/** Models of other people, which lie beside the repository where it is developed. */
export const models = new URL("../../../shared/models/", import.meta.url)
export const haveModels = existsSync(models)

/** Tensors of a test, by the number in their file names; undefined if one is not finite. */
export function dataSet(folder: URL, kind: "input" | "output"): Tensor[] | undefined {
  const set = new URL("test_data_set_0/", folder)
  const number = (name: string) => Number(/\d+/.exec(name)?.[0])
  const names = readdirSync(set).filter((name) => name.startsWith(kind))
  const tensors: Tensor[] = []
  for (const name of names.sort((a, b) => number(a) - number(b))) {
    const proto = decodeMessage("TensorProto", readFileSync(new URL(name, set)), limits.nesting)
    const decoded = decodeTensor(proto as TensorProto, limits)
    if (!("tensor" in decoded) || !decoded.tensor.data.every(Number.isFinite)) return undefined
    tensors.push(decoded.tensor)
  }
  return tensors
}

/** Largest error of the outputs relative to the largest value of each; NaN if a shape differs. */
export function worstError(
  program: Program,
  inputs: Record<string, ArrayLike<number>>,
  want: readonly { readonly shape: readonly number[]; readonly data: ArrayLike<number> }[],
): number {
  const values = evaluate(program, inputs)
  let worst = 0
  program.outputs.forEach(({ tensor }, i) => {
    const got = values.get(tensor) ?? new Float64Array(0)
    const { shape, data } = want[i]
    if (String(program.tensors[tensor].shape) !== String(shape) || got.length !== data.length)
      worst = Number.NaN
    let largest = 1e-3
    for (let j = 0; j < data.length; j++) largest = Math.max(largest, Math.abs(data[j]))
    for (let j = 0; j < data.length; j++) worst = Math.max(worst, Math.abs(got[j] - data[j]) / largest)
  })
  return worst
}

/** A graph with some of its inputs fixed. */
export const fix = (graph: Graph, values: readonly Tensor[], keep: (i: number) => boolean): Graph => ({
  ...graph,
  inputs: graph.inputs.filter((_, i) => keep(i)),
  constants: new Map([
    ...graph.constants,
    ...graph.inputs.flatMap(({ name }, i): [string, Tensor][] => (keep(i) ? [] : [[name, values[i]]])),
  ]),
})

/** All inputs fixed, and each output added to an input of zeros: what is computed from constants alone. */
export function allFixed(graph: Graph, inputs: readonly Tensor[], outputs: readonly Tensor[]): Graph {
  const sums = graph.outputs.map((name, i) => ({
    name: `sum${i}`,
    operator: "Add",
    domain: "",
    inputs: [`zero${i}`, name],
    outputs: [`out${i}`],
    attributes: {},
  }))
  return {
    ...fix(graph, inputs, () => false),
    opset: Math.max(7, graph.opset),
    inputs: graph.outputs.map((_, i) => ({ name: `zero${i}`, dtype: "float32", shape: outputs[i].shape })),
    nodes: [...graph.nodes, ...sums],
    outputs: sums.map(({ outputs: [name] }) => name),
  }
}

/** The program of a graph, or the problems that it is refused for. */
export function attempt(graph: Graph): Program | readonly string[] {
  try {
    return lower(graph)
  } catch (error) {
    const { problems } = error as { problems?: readonly string[] }
    if (!problems) throw error
    return problems
  }
}
