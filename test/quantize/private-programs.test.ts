/** Random programs with private weights: what they say is what they say with fixed ones, in bounds that no weight decides. */
import { describe, expect, it } from "vitest"
import { ModelError } from "#src/errors.js"
import { evaluate } from "#src/ops/evaluate.js"
import { deserialize, serialize } from "#src/quantize/canonical/digest.js"
import { readWeights, writeWeights } from "#src/quantize/canonical/weights.js"
import { graphBounds } from "#src/quantize/integers/bounds.js"
import { runExactly } from "#src/quantize/integers/exact.js"
import type { IntGraph } from "#src/quantize/integers/intgraph.js"
import { quantizeInput, runInteger } from "#src/quantize/integers/run.js"
import {
  isPrivate,
  secretRuns,
  secretsOf,
  withAnySecrets,
  withoutSecrets,
} from "#src/quantize/integers/secrets.js"
import { quantizeProgram } from "#src/quantize/quantize.js"
import { privately, randomProgram } from "../support/programs.js"
import { Random } from "../support/random.js"

const kept = new Map<number, ReturnType<typeof made>>()
/** A random program in integers; undefined for one that cannot be, which has to be few. */
const hidden = (seed: number) => {
  const found = kept.get(seed) ?? made(seed)
  kept.set(seed, found)
  return found
}

async function made(seed: number) {
  const { program, samples } = randomProgram(seed)
  try {
    const graph = await quantizeProgram(privately(program, seed), { samples })
    return isPrivate(graph) ? { program, samples, graph } : undefined
  } catch (error) {
    // what makes a square of one thing, or sums too large, is refused in either way
    if (error instanceof ModelError) return undefined
    throw error
  }
}

/** The same integers, and nothing said to be secret. */
const opened = (graph: IntGraph): IntGraph => ({
  ...graph,
  nodes: graph.nodes.map((node) => {
    if (node.kind !== "linear") return node
    const { secret: _, ...rest } = node
    return rest
  }),
})

const seeds = Array.from({ length: 60 }, (_, i) => i + 1)

describe("random programs with private weights", () => {
  it("say what the same integers say that are fixed", async () => {
    let count = 0
    for (const seed of seeds) {
      const held = await hidden(seed)
      if (!held) continue
      count++
      const { graph, samples } = held
      const fixed = opened(graph)
      for (const sample of samples.slice(0, 2)) {
        const input = quantizeInput(graph, sample, { clampInputs: true })
        const [one, other] = [runInteger(graph, input), runInteger(fixed, input)]
        for (const [id, values] of one)
          expect([...values], `seed ${seed}`).toEqual([...(other.get(id) ?? [])])
        const exact = runExactly(graph, input)
        for (const [id, values] of one) expect([...values].map(BigInt)).toEqual(exact[id])
      }
    }
    expect(count).toBeGreaterThan(seeds.length / 3)
  })

  it("have bounds that hold for all weights in range, and follow from the architecture", async () => {
    for (const seed of seeds.slice(0, 30)) {
      const held = await hidden(seed)
      if (!held) continue
      const { graph } = held
      const bare = withoutSecrets(graph)
      const bounds = graphBounds(bare)
      for (const [id, { lo, hi }] of graph.tensors.entries()) expect(bounds[id]).toEqual({ lo, hi })
      const random = new Random(seed)
      for (let draw = 0; draw < 6; draw++) {
        // the ends of ranges, or anything between
        const pick = (least: number, most: number) =>
          draw % 2 ? (random.next() < 0.5 ? least : most) : random.integer(least, most)
        const other = withAnySecrets(bare, ({ lo, bits }) => pick(lo, lo + 2 ** bits - 1))
        const input = Object.fromEntries(
          graph.inputs.map(({ name, tensor, lo, bits }) => [
            name,
            Array.from(graph.tensors[tensor].lo, () => pick(lo, lo + 2 ** bits - 1)),
          ]),
        )
        for (const [id, values] of runInteger(other, input)) {
          const { lo, hi } = graph.tensors[id]
          for (const [i, x] of values.entries())
            expect(x >= lo[i] && x <= hi[i], `seed ${seed}, tensor ${id}: ${x} in [${lo[i]}, ${hi[i]}]`).toBe(
              true,
            )
        }
      }
    }
  })

  it("are written without their weights, and read again with them", async () => {
    for (const seed of seeds.slice(0, 30)) {
      const held = await hidden(seed)
      if (!held) continue
      const { graph } = held
      const bytes = serialize(graph)
      const read = deserialize(bytes)
      expect(read).toEqual(withoutSecrets(graph))
      expect(serialize(withAnySecrets(graph, ({ lo }) => lo))).toEqual(bytes)
      const again = readWeights(writeWeights({ graph }), read).graph
      expect(secretsOf(again)).toEqual(secretsOf(graph))
      expect(again).toEqual(graph)
      for (const { window, start, count } of secretRuns(graph))
        for (const x of secretsOf(graph).subarray(start, start + count))
          expect(x >= window.lo && x < window.lo + 2 ** window.bits).toBe(true)
    }
  })

  it("are about as exact as with fixed weights", async () => {
    const worse: number[] = []
    for (const seed of seeds) {
      const held = await hidden(seed)
      if (!held) continue
      const { program, samples, graph } = held
      const fixed = await quantizeProgram(program, { samples })
      const error = (model: IntGraph): number => {
        let [sum, reach] = [0, 0]
        for (const sample of samples) {
          const real = evaluate(program, sample)
          const values = runInteger(model, quantizeInput(model, sample, { clampInputs: true }))
          for (const [o, { tensor }] of program.outputs.entries()) {
            const { tensor: id } = model.outputs[o]
            const [exact, integers] = [real.get(tensor) ?? [], values.get(id) ?? []]
            for (let i = 0; i < exact.length; i++) {
              sum += Math.abs(exact[i] - integers[i] * model.tensors[id].scale)
              reach += Math.abs(exact[i])
            }
          }
        }
        return sum / reach
      }
      worse.push((error(graph) + 1e-3) / (error(fixed) + 1e-3))
    }
    worse.sort((a, b) => a - b)
    expect(worse[Math.floor(worse.length / 2)]).toBeLessThan(1.5)
    expect(worse[Math.floor(0.9 * worse.length)]).toBeLessThan(6)
  })
})
