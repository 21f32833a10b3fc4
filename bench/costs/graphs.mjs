/**
 * Small integer models, node by node: every primitive of the waist can be written down with the bounds that reach one form of
 * its gadgets or another, which no operator of a model file would do for sure. Scales are 1, so inputs are integers.
 */

import { IntBuilder } from "../../dist/quantize/intbuilder.js"
import { generator } from "../inputs.mjs"

const unknown = { min: 0, max: 1, rms: 1 }

/** y[i] = factor · x[i] + bias[i]. */
const diagonal = (size, factor) => ({
  kind: "sparse",
  rowPtr: Uint32Array.from({ length: size + 1 }, (_, i) => i),
  columns: Uint32Array.from({ length: size }, (_, i) => i),
  values: new Float64Array(size).fill(factor),
})

export class Graph {
  #builder = new IntBuilder(10)
  #inputs = []

  /** A node of `size` elements; gives its tensor. */
  add(size, node, known) {
    const name = `${node.kind}${this.#builder.nodes.length}`
    const whole = { ...node, origin: { name, operator: node.kind } }
    return this.#builder.add(whole, { name, shape: [size] }, 1, unknown, known)
  }

  /** Integers from `lo`, of so many bits. */
  input(size, bits, lo = 0) {
    const name = `x${this.#inputs.length}`
    const range = { lo, bits }
    const tensor = this.add(size, { kind: "input", name }, range)
    this.#inputs.push({ name, tensor, ...range })
    return tensor
  }

  /** factor · x + bias, a number or one for each element. */
  linear(source, size, factor, bias = 0) {
    const list = typeof bias === "number" ? new Float64Array(size).fill(bias) : Float64Array.from(bias)
    return this.add(size, { kind: "linear", terms: [{ source, map: diagonal(size, factor) }], bias: list })
  }

  /** Integers from about `min` to `max`, in steps of an input's of ten bits. */
  between(size, min, max) {
    const factor = Math.ceil((max - min) / 1023)
    return this.linear(this.input(size, 10), size, factor, min)
  }

  /** Least and largest of a tensor. */
  hull(tensor) {
    const { lo, hi } = this.#builder.tensors[tensor]
    return [Math.min(...lo), Math.max(...hi)]
  }

  /** The model whose outputs are these tensors, and a random input of it. */
  model(...outputs) {
    const { tensors, nodes, precision } = this.#builder
    const next = generator(3)
    const size = (tensor) => tensors[tensor].lo.length
    return {
      graph: {
        ...{ name: "cost", precision, tensors, nodes, inputs: this.#inputs },
        outputs: outputs.map((tensor, i) => ({ name: `y${i}`, tensor })),
      },
      input: Object.fromEntries(
        this.#inputs.map(({ name, tensor, lo, bits }) => [
          name,
          Array.from({ length: size(tensor) }, () => lo + (next() % 2 ** bits)),
        ]),
      ),
    }
  }
}

/** Windows of so many elements in a row. */
export const windows = (size) => Int32Array.from({ length: size }, (_, i) => i)
