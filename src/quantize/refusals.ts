/**
 * Nodes whose integers cannot be, all of them at once: one that is refused is noted, something of the right range takes
 * its place, and those behind it are looked at as well.
 */
import { BudgetError } from "../budget.js"
import { InvariantError, ModelError, type Problem } from "../errors.js"
import type { Origin, RealNode, TensorId, TensorInfo } from "../ops/program.js"
import type { Range } from "./calibration/calibrate.js"
import type { IntBuilder } from "./intbuilder.js"
import { requantizedGrid } from "./scales.js"

export class QuantizeRefusals {
  readonly #refused: { readonly origin: Origin; readonly error: ModelError }[] = []

  /** What `make` gives, or `instead` where it throws a ModelError, which is noted. A budget that is spent is spent. */
  attempt<T>(origin: Origin, make: () => T, instead: () => T): T {
    try {
      return make()
    } catch (error) {
      if (!(error instanceof ModelError) || error instanceof BudgetError) throw error
      this.#refused.push({ origin, error })
    }
    try {
      return instead()
    } catch {
      // numbers that nothing can stand for: then what was found so far is all
      this.check("")
      throw new InvariantError("nothing was refused")
    }
  }

  /** @throws ModelError with all that was noted, or the one thing that was */
  check(model: string): void {
    if (this.#refused.length === 0) return
    if (this.#refused.length === 1) throw this.#refused[0].error
    const problems = this.#refused.map(({ origin: { name, operator }, error }): Problem => {
      const { what, expected, given, fix } = error.facts
      const reason = [what, expected && `expected ${expected}`, given && `given ${given}`].filter(Boolean)
      const where = `node \`${name}\`, operator \`${operator}\``
      return { node: name, operator, where, reason: reason.join("; "), ...(fix && { help: fix }) }
    })
    throw new ModelError(
      { what: `the model cannot be quantized, ${problems.length} problems:`, where: `model \`${model}\`` },
      problems,
    )
  }
}

/** A tensor in w bits that takes the place of what a refused node would have given. */
export function standIn(builder: IntBuilder, { origin }: RealNode, info: TensorInfo, range: Range): TensorId {
  const { scale, lo } = requantizedGrid(range, builder.precision, range.min < 0)
  const bounds = { lo, bits: builder.precision }
  return builder.add({ kind: "input", name: "", origin }, info, scale, range, bounds)
}
