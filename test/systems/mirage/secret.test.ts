/** Circuits with private weights, whole: honest executions, forgeries of every rule, rows that were changed, sizes. */
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { writeR1cs } from "#src/circuit/formats/r1csfile.js"
import { planSecrets } from "#src/circuit/plan/secret.js"
import { describeRow, firstFailingRow } from "#src/circuit/witness/check.js"
import type { TensorValues, Witness } from "#src/circuit/witness/witness.js"
import { compile } from "#src/compile/compile.js"
import { differences, probes } from "#src/compile/differential.js"
import { auditWitness } from "#src/compile/forgeries.js"
import { inspect } from "#src/compile/inspect.js"
import { inverse, mod, signed } from "#src/field.js"
import type { IntNode, LinearMap, LinearNode } from "#src/ops/program.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { runInteger } from "#src/quantize/integers/run.js"
import { isSecret, secretsOf, withoutSecrets, withSecrets } from "#src/quantize/integers/secrets.js"
import { fullWitness } from "#src/systems/mirage/audit.js"
import type { MirageCircuit } from "#src/systems/mirage/circuit.js"
import { weightWires } from "#src/systems/mirage/weights.js"
import { publicWires } from "#src/systems/mirage/wires.js"
import { assignCommitted } from "#src/systems/mirage/witness.js"
import { testChangedRows } from "../../support/changed-rows.js"
import { expectGolden } from "../../support/golden.js"
import { readGraph, sparse } from "../../support/hostile-graphs.js"
import { mirageWitness, privateMnist } from "../../support/networks.js"
import { Random } from "../../support/random.js"
import { withSecretWeights } from "../../support/secret-graphs.js"

const origin = (name: string) => ({ name, operator: "Layer" })
const c = 2n ** 250n + 12345n

/** Sizes and nodes of a model that is made layer by layer, with weights of at most `most`. */
class Layers {
  readonly sizes: number[]
  readonly nodes: IntNode[] = [{ kind: "input", out: 0, name: "x", origin: origin("x") }]
  constructor(
    input: number,
    readonly random: Random,
    readonly most = 3,
  ) {
    this.sizes = [input]
  }
  linear(terms: readonly { source: number; map: LinearMap }[], size: number, biases = size): number {
    const out = this.sizes.push(size) - 1
    const distinct = Array.from({ length: biases }, () => this.random.integer(-20, 20))
    const bias = Float64Array.from({ length: size }, (_, i) => distinct[Math.floor((i * biases) / size)])
    this.nodes.push({ kind: "linear", out, terms, bias, origin: origin(`linear ${out}`) })
    return out
  }
  rescale(source: number, shift = 3, bits = 4): number {
    const out = this.sizes.push(this.sizes[source]) - 1
    this.nodes.push({ kind: "rescale", out, source, shift, lo: 0, bits, origin: origin(`rescale ${out}`) })
    return out
  }
  weights(count: number): Float64Array {
    // none is zero: what it multiplies would not show
    return Float64Array.from(
      { length: count },
      () => this.random.integer(1, this.most) * this.random.pick([-1, 1]),
    )
  }
  dense(source: number, n: number, m: number): number {
    const k = this.sizes[source] / n
    const map: LinearMap = { kind: "dense", weight: this.weights(m * k), n, k, m }
    const out = this.sizes.push(n * m) - 1
    const distinct = Array.from({ length: m }, () => this.random.integer(-20, 20))
    const bias = Float64Array.from({ length: n * m }, (_, i) => distinct[i % m])
    this.nodes.push({ kind: "linear", out, terms: [{ source, map }], bias, origin: origin(`dense ${out}`) })
    return out
  }
  conv(
    source: number,
    of: { n?: number; groups?: number; channels: number; outputs: number; axes: readonly Axis[] },
  ): number {
    const { n = 1, groups = 1, channels, outputs, axes } = of
    const sides = axes.map(({ size, kernel, stride = 1, pad = 0, dilation = 1 }) => ({
      size,
      kernel,
      stride,
      pad,
      dilation,
      out: Math.floor((size + 2 * pad - dilation * (kernel - 1) - 1) / stride + 1),
    }))
    const pick = (name: keyof (typeof sides)[number]) => sides.map((side) => side[name])
    const map: LinearMap = {
      kind: "conv",
      weight: this.weights(((outputs * channels) / groups) * pick("kernel").reduce((a, b) => a * b, 1)),
      n,
      groups,
      inChannels: channels,
      outChannels: outputs,
      inSize: pick("size"),
      kernel: pick("kernel"),
      outSize: pick("out"),
      strides: pick("stride"),
      padsBegin: pick("pad"),
      dilations: pick("dilation"),
    }
    const area = pick("out").reduce((a, b) => a * b, 1)
    return this.linear([{ source, map }], n * outputs * area, n === 1 ? outputs : 1)
  }
  graph(outputs: readonly number[], bits = 4): IntGraph {
    return readGraph(this.sizes, this.nodes, [{ name: "x", tensor: 0, lo: 0, bits }], outputs, 6)
  }
}

interface Axis {
  readonly size: number
  readonly kernel: number
  readonly stride?: number
  readonly pad?: number
  readonly dilation?: number
}

/** Every form: windows in pairs and not, at a stride and in groups, pairs, a map of several rows, products, two terms. */
function everyForm(): IntGraph {
  const layers = new Layers(25, new Random(4))
  const side: Axis = { size: 5, kernel: 3, pad: 1 }
  const a = layers.rescale(layers.conv(0, { channels: 1, outputs: 4, axes: [side, side] }))
  const b = layers.rescale(
    layers.conv(a, {
      channels: 4,
      outputs: 4,
      groups: 2,
      axes: [
        { ...side, stride: 2 },
        { ...side, stride: 2 },
      ],
    }),
  )
  const d = layers.rescale(layers.dense(b, 4, 5))
  const e = layers.rescale(layers.dense(d, 1, 3))
  const map = sparse([
    [
      [0, 2],
      [2, -1],
    ],
    [[1, 3]],
    [
      [0, -2],
      [3, 1],
      [5, 1],
    ],
  ])
  const f = layers.linear([{ source: d, map }], 3)
  const g = layers.linear(
    [
      { source: e, map: { kind: "dense", weight: layers.weights(6), n: 1, k: 3, m: 2 } },
      { source: d, map: { kind: "dense", weight: layers.weights(40), n: 1, k: 20, m: 2 } },
    ],
    2,
  )
  return withSecretWeights(layers.graph([f, g]), () => true)
}

/** The witness, its committed wires changed and all inverses, words and polynomials made anew. */
function failing(circuit: MirageCircuit, witness: Witness): string | undefined {
  const row = firstFailingRow(circuit.linked.r1cs, witness)
  return row < 0 ? undefined : describeRow(circuit.graph, circuit.linked, row)
}

let circuit: MirageCircuit
let graph: IntGraph
let values: TensorValues

beforeAll(async () => {
  graph = everyForm()
  circuit = await compile(graph)
  values = runInteger(graph, { x: Float64Array.from({ length: 25 }, (_, i) => (7 * i) % 16) })
})

describe("a circuit with private weights", () => {
  it("accepts an honest execution, for any challenge", async () => {
    const forms = [...planSecrets(graph).plans.values()].flatMap(({ pairs, terms }) =>
      pairs ? ["pairs"] : terms.flatMap((term) => term?.form ?? []),
    )
    expect(new Set(forms)).toEqual(new Set(["pairs", "windows", "products"]))
    for (const challenge of [c, 2n ** 100n])
      expect(failing(circuit, await mirageWitness(circuit, values, challenge))).toBeUndefined()
  })

  it("depends on the architecture alone", async () => {
    const bytes = async (of: IntGraph) => writeR1cs((await compile(of)).linked.r1cs)
    const own = await bytes(graph)
    expect(await bytes(withoutSecrets(graph))).toEqual(own)
    const zeros = withSecrets(graph, new Float64Array(secretsOf(graph).length))
    expect(await bytes(zeros)).toEqual(own)
  })

  it("says which rows each layer takes, and all of them", () => {
    const { nodes, totals } = inspect(circuit)
    expect(nodes.reduce((sum, { constraints }) => sum + constraints, 0)).toBe(totals.constraints)
    const named = nodes.filter(({ primitive }) => primitive === "linear").map(({ gadget }) => gadget)
    expect(
      named.every((gadget) => /Secret\(\d+\)×/.test(gadget) && /pair|windows|products/.test(gadget)),
    ).toBe(true)
  })

  it("agrees with its model at every probe", () => {
    const random = new Random(3)
    for (const probe of probes(graph, 3, () => random.next())) expect(differences(circuit, probe)).toEqual([])
  })

  it("refuses every wire moved, of every form", () => {
    const report = auditWitness(circuit, fullWitness(circuit, values), 20)
    expect(report.accepted).toEqual([])
    for (const kind of [
      "private weight",
      "limb of a private weight",
      "private bias",
      "shared product",
      "pair",
      "private sum",
    ])
      expect(report.tried, kind).toHaveProperty(kind)
  })
})

describe("rows with private weights that were changed", () => testChangedRows(() => smallest))

let smallest: MirageCircuit
beforeAll(async () => {
  // products of outputs are wider than a limb
  const layers = new Layers(16, new Random(9), 2000)
  const side = { size: 4, kernel: 2 }
  layers.conv(0, { channels: 1, outputs: 5, axes: [side, side] })
  smallest = await compile(withSecretWeights(layers.graph([1])))
})

/** An execution with other values of the wires of the group `weights`, all that follows from them made anew. */
function withWires(change: (wires: Float64Array) => void) {
  const own = weightWires(circuit)
  const honest = assignCommitted(graph, circuit.linked, values)
  const wires = own.slice()
  change(wires)
  const small = honest.small.slice()
  small.set(wires, publicWires)
  return { ...honest, small }
}

describe("forged private weights", () => {
  /** Rows that cannot hold with these committed wires, whatever inverses there are. */
  const broken = ({ small }: { small: Float64Array }): string[] => {
    const { r1cs, lookup } = circuit.linked
    const found: string[] = []
    const sum = (side: "a" | "b" | "c", row: number) => {
      const { rowPtr, wires, coefficients } = r1cs[side]
      let total = 0n
      for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++)
        if (wires[j] !== 1) total += r1cs.values[coefficients[j]] * mod(BigInt(small[wires[j]] ?? 0))
      return mod(total)
    }
    lookup.row.forEach((row, query) => {
      const value = signed(mod(-sum("b", row) * inverse(BigInt(lookup.scale[query]))))
      const table = lookup.tables[lookup.table[query]]
      if (value > 2n ** 52n || value < -(2n ** 52n) || table.rowOf(Number(value)) < 0)
        found.push(describeRow(circuit.graph, circuit.linked, row))
    })
    return found
  }
  const checked = () => circuit.linked.stamped.flatMap((group) => (group.checked ? [group.checked] : []))

  it("the honest ones are in their ranges", () => expect(broken(withWires(() => undefined))).toEqual([]))

  it("each weight and each constant, just below its window and just above", () => {
    for (const { weights, constants } of checked())
      for (const run of [...weights, constants]) {
        if (!run) continue
        const { window, first, count, limbs, firstLimb, tableBits } = run
        for (const i of [0, count - 1])
          for (const value of [window.lo - 1, window.lo + 2 ** window.bits]) {
            const forged = withWires((wires) => {
              wires[first + i - publicWires] = value
              // limbs as if it were in range
              let rest = value - window.lo
              for (let l = 0; l < limbs - 1; l++) {
                wires[firstLimb + i * (limbs - 1) + l - publicWires] =
                  ((rest % 2 ** tableBits) + 2 ** tableBits) % 2 ** tableBits
                rest = Math.floor(rest / 2 ** tableBits)
              }
            })
            expect(broken(forged).some((what) => /range of a private weight/.test(what))).toBe(true)
          }
      }
  })

  it("a limb of a constant out of its table, what is left of it taken along", () => {
    const run = checked().flatMap(({ constants }) => (constants && constants.limbs > 1 ? [constants] : []))[0]
    const forged = withWires((wires) => {
      wires[run.firstLimb - publicWires] += 2 ** run.tableBits
    })
    expect(broken(forged)).toHaveLength(1)
  })

  it("the constants of pairs keep the bias in its range, whatever the weights are", () => {
    for (const { plan, constants } of checked()) {
      const { pairs, node } = plan
      if (!pairs || !constants) continue
      const { bias, weights } = node.secret
      const corners = pairs.columns
        .map(({ term }) => weights[term])
        .map((window) => [window?.lo ?? 0, (window?.lo ?? 0) + 2 ** (window?.bits ?? 0) - 1])
      let [least, most] = [0, 0]
      for (let j = 0; j + 1 < corners.length; j += 2) {
        const products = corners[j].flatMap((x) => corners[j + 1].map((y) => x * y))
        least += Math.min(...products)
        most += Math.max(...products)
      }
      const { lo, bits } = constants.window
      expect(lo + least).toBeGreaterThanOrEqual(bias?.lo ?? 0)
      expect(lo + 2 ** bits - 1 + most).toBeLessThan((bias?.lo ?? 0) + 2 ** (bias?.bits ?? 0))
    }
  })

  it("a constant that does not fit is refused before there is a proof, without the number", () => {
    const node = graph.nodes.find(
      (of) =>
        isSecret(of) && of.terms.length === 1 && of.terms[0].map.kind === "dense" && of.terms[0].map.n === 1,
    )
    const out = node?.out ?? -1
    const nodes = graph.nodes.map((of): IntNode => {
      if (of.out !== out || !isSecret(of)) return of
      const bias = of.secret.bias
      const most = (bias?.lo ?? 0) + 2 ** (bias?.bits ?? 0) - 1
      return { ...of, bias: new Float64Array(graph.tensors[out].lo.length).fill(most) } as LinearNode
    })
    expect(() => weightWires(circuit, { ...graph, nodes })).toThrow(/out of its range/)
  })
})

describe("random architectures", () => {
  it("of which nothing but padding is read are products", async () => {
    const layers = new Layers(1, new Random(1))
    layers.conv(0, {
      channels: 1,
      outputs: 1,
      axes: [{ size: 1, kernel: 2, pad: 1, dilation: 2 }],
    })
    const made = withSecretWeights(layers.graph([1]))
    const other = await compile(made)
    const [plan] = planSecrets(made).plans.values()
    expect(plan.terms[0]?.form).toBe("products")
    expect(
      failing(other, await mirageWitness(other, runInteger(made, { x: Float64Array.of(3) }), c)),
    ).toBeUndefined()
  })
  const axis = fc.record({
    size: fc.integer({ min: 1, max: 5 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    pad: fc.integer({ min: 0, max: 1 }),
    dilation: fc.integer({ min: 1, max: 2 }),
  })
  it("hold for the integers that the model computes, and are as many rows as the planner says", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(),
        fc.array(axis, { minLength: 1, maxLength: 2 }),
        fc.tuple(...[2, 2, 2, 3, 4].map((max) => fc.integer({ min: 1, max }))),
        async (seed, axes, [n, groups, channels, outputs, rows]) => {
          fc.pre(axes.every(({ size, kernel, pad, dilation }) => size + 2 * pad > dilation * (kernel - 1)))
          const random = new Random(seed)
          const inputs = axes.reduce((total, { size }) => total * size, n * groups * channels)
          const layers = new Layers(inputs, random)
          const a = layers.rescale(
            layers.conv(0, { n, groups, channels: groups * channels, outputs: groups * outputs, axes }),
          )
          const b = layers.dense(a, layers.sizes[a] % rows === 0 ? rows : 1, 1 + (seed % 4))
          const made = withSecretWeights(layers.graph([b]))
          const other = await compile(made)
          const given = Float64Array.from({ length: inputs }, () => random.integer(0, 15))
          const executed = runInteger(made, { x: given })
          expect(failing(other, await mirageWitness(other, executed, c))).toBeUndefined()
          const own = inspect(other).nodes.filter(({ primitive }) => primitive === "linear")
          const { plans, rows: planned } = planSecrets(made)
          const checks = own.reduce((sum, { lookups }) => sum + lookups, 0)
          expect(plans.size).toBe(2)
          expect(own.reduce((sum, { constraints }) => sum + constraints, 0)).toBe(planned + checks)
        },
      ),
      { numRuns: 25 },
    )
  })
})

describe("golden counts", () => {
  it("are those of test/private-constraints.csv, and within the limits that we set ourselves", async () => {
    const limits: Record<string, number> = { "mnist-mlp": 75_000, "mnist-lenet": 100_000 }
    const lines = ["model,constraints,lookups,weights,committed,wires,nonzeros"]
    for (const [name, limit] of Object.entries(limits)) {
      const { graph: model } = await privateMnist(name)
      const { linked, nonzeros } = await compile(model)
      const { r1cs, lookup, weights, firstFinal } = linked
      const committed = firstFinal - publicWires - weights
      lines.push([name, r1cs.rows, lookup.row.length, weights, committed, r1cs.wires, nonzeros].join(","))
      expect(r1cs.rows, name).toBeLessThanOrEqual(limit)
    }
    await expectGolden("private-constraints.csv", `${lines.join("\n")}\n`)
  })
})
