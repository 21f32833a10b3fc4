/**
 * A model for each primitive and each form of a gadget, at several sizes: `kinds` and `forms` say what of it is a row. Forms
 * that only circuits without a challenge have are of plain Groth16; all others of the two-phase system. Which form serves a
 * node is decided by the whole circuit (src/circuit/plan/forms.ts), so that some exist at some sizes alone.
 */
import { Graph, windows } from "./graphs.mjs"

const sizes = [16, 64, 256, 1024]

/** A rescale of accumulators between two numbers. */
const rescaled = (shift, bits, min, max) => (size) => {
  const graph = new Graph()
  const source = graph.between(size, min, max)
  return graph.model(graph.add(size, { kind: "rescale", source, shift, lo: 0, bits }))
}

/** One value for every integer that a table can be asked for. */
const valuesFor = (count) => Float64Array.from({ length: count }, (_, i) => (i * i) % 997)

function tabulated(size, bits) {
  const graph = new Graph()
  const source = graph.input(size, bits)
  return graph.model(graph.add(size, { kind: "table", source, lo: 0, values: valuesFor(2 ** bits) }))
}

/** A table that alone reads a rescale which cuts nothing off. */
function stepped(size) {
  const graph = new Graph()
  const source = graph.linear(graph.input(size, 10), size, 16)
  const rescale = graph.add(size, { kind: "rescale", source, shift: 6, lo: 0, bits: 8 })
  return graph.model(graph.add(size, { kind: "table", source: rescale, lo: 0, values: valuesFor(256) }))
}

/** Maxima or positions of them, of windows of so many elements between 0 and 2^bits. */
const extreme = (kind, window, bits) => (size) => {
  const graph = new Graph()
  const source = graph.input(size, bits)
  const node = { kind, source, window, map: windows(size), ...(kind === "argmax" && { last: false }) }
  return graph.model(graph.add(size / window, node))
}

/** Values of the distance from the maximum of a window. */
const below = (window, bits, shift) => (size) => {
  const graph = new Graph()
  const source = graph.input(size, bits)
  const maximum = graph.add(size / window, { kind: "max", source, window, map: windows(size) })
  const owner = Int32Array.from({ length: size }, (_, i) => Math.floor(i / window))
  const values = valuesFor(2 ** (bits - shift))
  return graph.model(graph.add(size, { kind: "below", source, maximum, owner, shift, values }))
}

/** The largest quarter of each window. */
const sorted = (window) => (size) => {
  const graph = new Graph()
  const bias = Array.from({ length: size }, (_, i) => window - 1 - (i % window))
  const source = graph.linear(graph.input(size, 8), size, window, bias)
  const count = window / 4
  const out = (size / window) * (count + window)
  return graph.model(graph.add(out, { kind: "sort", source, window, count, map: windows(size) }))
}

/** Products of two matrices of `side` rows and columns. */
function multiplied(size) {
  const graph = new Graph()
  const side = Math.round(Math.sqrt(size))
  const [left, right] = [graph.input(side * side, 8), graph.input(side * side, 8)]
  return graph.model(
    graph.add(side * side, { kind: "contraction", left, right, batch: 1, m: side, k: side, n: side }),
  )
}

const cases = [
  {
    name: "input",
    kinds: ["input"],
    forms: ["InRange"],
    what: "numbers in a range, 10 bits",
    build(size) {
      const graph = new Graph()
      return graph.model(graph.input(size, 10))
    },
  },
  {
    name: "index",
    kinds: ["index"],
    what: "elements moved",
    build(size) {
      const graph = new Graph()
      const map = Int32Array.from({ length: size }, (_, i) => size - 1 - i)
      return graph.model(graph.add(size, { kind: "index", sources: [graph.input(size, 10)], map, fill: 0 }))
    },
  },
  {
    name: "linear",
    kinds: ["linear"],
    what: "elements of a dense layer as wide as its input",
    build(size) {
      const graph = new Graph()
      const weight = Float64Array.from({ length: size * size }, (_, i) => ((i * 7) % 15) - 7)
      const map = { kind: "dense", weight, n: 1, k: size, m: size }
      return graph.model(graph.add(size, { kind: "linear", terms: [{ source: graph.input(size, 10), map }] }))
    },
  },
  {
    name: "rescale, within its window",
    kinds: [],
    forms: ["Truncate"],
    what: "elements",
    build: rescaled(6, 11, 0, 2 ** 16),
  },
  {
    name: "rescale, never above",
    kinds: ["rescale"],
    forms: ["Complement"],
    what: "elements",
    build: rescaled(6, 11, -(2 ** 16), 2 ** 16),
  },
  {
    name: "rescale, far beyond",
    kinds: [],
    forms: ["Excess"],
    what: "elements",
    sizes: [16, 32, 256, 1024],
    build: rescaled(6, 10, 0, 2 ** 26),
  },
  {
    name: "rescale of few bits, far beyond",
    kinds: [],
    forms: ["Gated"],
    what: "elements",
    build: rescaled(8, 3, 0, 2 ** 21),
  },
  {
    name: "rescale, somewhat beyond",
    kinds: [],
    forms: ["Signed"],
    what: "elements",
    sizes: [512, 1024, 2048],
    build: rescaled(4, 8, -4096, 8192),
  },
  {
    name: "rescale to one bit",
    kinds: [],
    forms: ["Threshold"],
    what: "elements",
    build: rescaled(6, 1, -5000, 5000),
  },
  {
    name: "maxima of four",
    kinds: ["max"],
    forms: ["Largest"],
    what: "elements, windows of 4",
    build: extreme("max", 4, 10),
  },
  {
    name: "maxima of two, of many bits",
    kinds: [],
    forms: ["Max"],
    what: "elements, windows of 2",
    build: extreme("max", 2, 24),
  },
  {
    name: "positions in eight",
    kinds: ["argmax"],
    forms: ["Argmax"],
    what: "elements, windows of 8",
    build: extreme("argmax", 8, 10),
  },
  {
    name: "position in many",
    kinds: [],
    forms: ["Position"],
    what: "elements, one window of 512",
    sizes: [512, 1024, 2048],
    build: extreme("argmax", 512, 10),
  },
  {
    name: "distances from maxima",
    kinds: ["below"],
    forms: ["Below", "Chosen"],
    what: "elements, windows of 8",
    build: below(8, 10, 2),
  },
  {
    name: "product",
    kinds: ["product"],
    forms: ["Product"],
    what: "products",
    build(size) {
      const graph = new Graph()
      const [left, right] = [graph.input(size, 10), graph.input(size, 10)]
      return graph.model(graph.add(size, { kind: "product", left, right }))
    },
  },
  {
    name: "contraction",
    kinds: ["contraction"],
    what: "elements of a product of square matrices",
    build: multiplied,
  },
  {
    name: "quotient",
    kinds: ["quotient"],
    forms: ["Quotient"],
    what: "elements",
    build(size) {
      const graph = new Graph()
      const [numerator, denominator] = [graph.input(size, 16), graph.input(size, 8, 1)]
      return graph.model(graph.add(size, { kind: "quotient", numerator, denominator }))
    },
  },
  {
    name: "root",
    kinds: ["isqrt"],
    forms: ["Root"],
    what: "elements, 20 bits",
    build(size) {
      const graph = new Graph()
      return graph.model(graph.add(size, { kind: "isqrt", source: graph.input(size, 20) }))
    },
  },
  {
    name: "table",
    kinds: ["table"],
    forms: ["Entry"],
    what: "elements, 2^8 values",
    build: (size) => tabulated(size, 8),
  },
  { name: "table of a rescale", kinds: [], forms: ["Step"], what: "elements, 2^8 values", build: stepped },
  {
    name: "sort",
    kinds: ["sort"],
    forms: ["Beyond", "Rest"],
    what: "keys, the largest quarter of 16",
    build: sorted(16),
  },
  {
    name: "rows of a table",
    kinds: ["rows"],
    what: "indices, 64 rows of 8",
    sizes: [4, 16, 64, 256],
    build(size) {
      const graph = new Graph()
      const node = { kind: "rows", source: graph.input(size, 6), lo: 0, width: 8, values: valuesFor(512) }
      return graph.model(graph.add(8 * size, node))
    },
  },
  {
    name: "clamp, bits",
    kinds: [],
    forms: ["Clamp"],
    system: "groth16",
    what: "elements",
    build: rescaled(6, 8, -(2 ** 16), 2 ** 16),
  },
  {
    name: "rectify, bits",
    kinds: [],
    forms: ["Rectify"],
    system: "groth16",
    what: "elements",
    build: rescaled(6, 10, -(2 ** 15), 2 ** 15),
  },
  {
    name: "table, bits",
    kinds: [],
    forms: ["Table"],
    system: "groth16",
    what: "elements, 2^6 values",
    build: (size) => tabulated(size, 6),
  },
  {
    name: "distances, bits",
    kinds: [],
    forms: ["BelowTable"],
    system: "groth16",
    what: "elements, windows of 8",
    build: below(8, 8, 2),
  },
  {
    name: "sort, bits",
    kinds: [],
    forms: ["Among"],
    system: "groth16",
    what: "keys, the largest quarter of 16",
    build: sorted(16),
  },
]

/** Sizes of what has a domain four times as large, and takes snarkjs for a proof. */
const plainSizes = [16, 64, 256]

export const costCases = cases.map((one) => ({
  system: "mirage",
  forms: [],
  sizes: one.system === "groth16" ? plainSizes : sizes,
  ...one,
}))
