/** A table that is a part of another is read there, and nothing else is. */
import { expect, it } from "vitest"
import { hostOf } from "#src/circuit/plan/hosts.js"
import type { TableNode } from "#src/ops/program.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"

const table = (out: number, lo: number, values: readonly number[]): TableNode => ({
  kind: "table",
  out,
  source: 0,
  lo,
  values: Float64Array.from(values),
  origin: { name: "t", operator: "Tanh" },
})

const graphOf = (nodes: readonly TableNode[]): IntGraph => ({
  name: "tables",
  precision: 10,
  tensors: [],
  nodes,
  inputs: [],
  outputs: [],
})

it("reads the longest table that says the same of each of its integers", () => {
  const whole = table(1, -3, [9, 4, 1, 0, 1, 4, 9])
  const part = table(2, -1, [1, 0, 1])
  const moved = table(3, 0, [1, 0, 1])
  const other = table(4, -1, [1, 0, 2])
  const below = table(5, -4, [1, 9])
  const beyond = table(6, 3, [9, 16])
  const all = [part, whole, moved, other, below, beyond]
  const graph = graphOf(all)
  expect(all.map((node) => hostOf(graph, node).out)).toEqual([1, 1, 3, 4, 5, 6])
})
