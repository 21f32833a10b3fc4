/**
 * What reading one file may cost in all. Whoever allocates or loops by a number that stands in a file charges
 * it here first, so that a few bytes cannot ask for gigabytes or for hours. What is held is not given back: the
 * total bounds every moment of the reading, and a chain of small steps as well as one large one.
 */
import { defaults } from "./defaults.js"
import { type Facts, ModelError } from "./errors.js"

export interface Allowance {
  /** Numbers held, of at most 8 bytes each. */
  readonly elements: number
  /** Steps of loops, of some nanoseconds each. */
  readonly work: number
}

/**
 * What a file may cost that holds so many numbers itself: a large model in proportion, and a small file no
 * more than the allowance that every file has.
 */
export const allowanceFor = (held: number): Allowance => ({
  elements: defaults.budget.elements + defaults.elementsPerNumber * held,
  work: defaults.budget.work + defaults.workPerNumber * held,
})

const units: Readonly<Record<keyof Allowance, string>> = {
  elements: "elements",
  work: "steps of work",
}

/** The ModelError of a model that costs more than it may. */
export class BudgetError extends ModelError {}

const refuseModel = (facts: Facts): never => {
  throw new BudgetError(facts)
}

export class Budget {
  readonly #limits: Allowance
  readonly #refuse: (facts: Facts) => never
  readonly #spent = { elements: 0, work: 0 }

  /** `refuse` makes the error of a budget that is exceeded; by default a ModelError. */
  constructor(limits: Allowance = allowanceFor(0), refuse: (facts: Facts) => never = refuseModel) {
    this.#limits = limits
    this.#refuse = refuse
  }

  /** Charges numbers about to be held; `where` is a node, tensor or field. */
  elements(count: number, where: string): void {
    this.#charge("elements", count, where)
  }

  /** Charges numbers that are held for a moment: there must be room for them, but they leave it again. */
  momentary(count: number, where: string): void {
    const before = this.#spent.elements
    this.#charge("elements", count, where)
    this.#spent.elements = before
  }

  /** Charges steps about to be made. */
  work(count: number, where: string): void {
    this.#charge("work", count, where)
  }

  /** A count that is no number, negative or infinite is over every budget. */
  #charge(kind: keyof Allowance, count: number, where: string): void {
    const spent = this.#spent[kind] + count
    const limit = this.#limits[kind]
    if (count >= 0 && spent <= limit) {
      this.#spent[kind] = spent
      return
    }
    this.#refuse({
      what: `needs more than the budget of ${units[kind]}`,
      where,
      expected: `at most ${limit} in the whole file`,
      given: `${count}, after ${this.#spent[kind]} before`,
      fix: "Use a smaller model",
    })
  }
}
