/** What the circuits of all proof systems have in common: a model, how it is shown, and what was linked of it. */
import { invariant } from "../../errors.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import type { Layout } from "../../statement/layout.js"
import { entriesOfB } from "../formats/mapped.js"
import type { R1cs } from "../formats/r1cs.js"
import { gadgetKey } from "../gadgets/families.js"
import type { RangeStrategy, Stamp } from "../gadgets/ranges.js"
import type { CompiledGadgets, Gadget } from "../gadgets/reduce.js"
import type { Plan } from "../plan/plan.js"
import type { StampedNode } from "./nodes.js"

/** What every linked circuit has. */
export interface LinkedNodes {
  readonly r1cs: R1cs
  readonly stamps: readonly Stamp[]
  readonly stamped: readonly StampedNode[]
  /** First wire of each input, in model order; empty if they have none of their own. */
  readonly inputs: readonly number[]
}

/** Everything between the integer model and the keys that every proof system has. */
export interface CircuitBase {
  readonly graph: IntGraph
  /** keccak256 of the canonical integer model, or of its architecture if its weights are private. */
  readonly model: `0x${string}`
  readonly weights: "fixed" | "private"
  readonly input: "private" | "public" | "committed"
  readonly output: "public" | "committed"
  readonly layout: Layout
  readonly domain: number
  readonly nonzeros: number
  /** What circom made of its gadgets. */
  readonly gadgets: CompiledGadgets
}

/** Applies a strategy to every gadget of a plan. */
export function stampsOf(
  plan: Plan,
  gadgets: ReadonlyMap<string, Gadget>,
  strategy: RangeStrategy,
): readonly Stamp[] {
  return plan.uses.map((use) => {
    const gadget = gadgets.get(gadgetKey(use))
    invariant(gadget, `gadget ${gadgetKey(use)} was not compiled`)
    return strategy(gadget)
  })
}

/** Entries of all three sides. */
export const nonzerosOf = (system: R1cs): number =>
  system.a.wires.length + entriesOfB(system) + system.c.wires.length

/** Wires from `from` up to but without `to`. */
export const wireRange = (from: number, to: number): Uint32Array =>
  Uint32Array.from({ length: to - from }, (_, i) => from + i)
