/**
 * Banks of secret weights under the challenge c: which rows show that y is the convolution of x. With block E and slots as in
 * banks.ts, T_a positions for one step on axis a, and shift(t) = Σ_a T_a · (max β_a − β_a(t)) of a tap,
 *
 *     u_t = Σ_o c^slot(o) · w[o, t]        v_t = Σ_p c^(E·(p + Σ_a T_a·β_a(t))) · x[read(t, p)]
 *     y   = Σ_o,p c^(slot(o) + E·p) · y[o, p]
 *
 *     Σ_t c^(E·shift(t)) · u_t · v_t = c^(E·Σ_a T_a·max β_a) · y
 *
 * as every tap's v, shifted, has position p at the same exponent. The windows v are sums over one axis after the other: each
 * element is multiplied once on each axis, and what a window reads is a sum of wires then, so no products outside of the
 * windows exist that would have to be fixed before c. Powers only ever multiply.
 *
 * Two weights of a tap take one row: (w_1 + c^o_2)·(w_2 + c^o_1) = w_1·c^o_1 + w_2·c^o_2 + w_1·w_2 + c^(o_1 + o_2). Slots o_1 and
 * o_2 of a pair add up to E, and slot 0 is nobody's: what the products w_1·w_2 of a tap come to is taken away by a private
 * constant κ_t of which nothing is known. If it is another number, slot 0 of the left side has something in it that the right
 * side has not, and no other slot changes.
 *
 * The outputs of a position are paired in the same way, and what their products come to is a constant of its own, fixed before
 * c like all of y.
 *
 * Whoever builds or counts the rows gives a *sink*. Its wires are numbers of any meaning.
 */
import type { Bank, Slots } from "./banks.js"
import { readsOf, slotOf, stridesOf, windowOf } from "./banks.js"

/** A combination of wires: parallel arrays. */
export interface Sum {
  readonly wires: readonly number[]
  readonly coefficients: readonly number[]
}

/** Takes rows in an order in which each wire is defined before it is used. */
export interface Sink {
  /** The wire of c^exponent, which may be made of two powers that differ by one of `steps`. */
  power(exponent: number, steps: readonly number[]): number
  /** A new wire that is a · b + before. */
  product(a: Sum, b: Sum, before?: number): number
  /** The row a · b + before = sum. */
  equation(a: Sum, b: Sum, before: number | undefined, sum: Sum): void
}

/** The wires of a bank that are fixed before the challenge; x is undefined where the source is always zero. */
export interface BankWires {
  readonly x: (element: number) => Sum | undefined
  readonly weight: (stored: number) => number
  readonly y: (element: number) => number
  /** κ of tap `tap` of a channel. */
  readonly constant: (channel: number, tap: number) => number
  /** What the products of paired outputs come to at a position of an image. */
  readonly products: (image: number, place: number) => Sum
}

const sole = (wire: number): Sum => ({ wires: [wire], coefficients: [1] })

const sumOf = (terms: readonly (readonly [wire: number, coefficient: number])[]): Sum => ({
  wires: terms.map(([wire]) => wire),
  coefficients: terms.map(([, coefficient]) => coefficient),
})

/** Emits all rows of a bank; false of one that reads nothing but zeros, which is no equation. */
export function emitWindows(bank: Bank, slots: Slots, wires: BankWires, sink: Sink): boolean {
  const { axes, channels, taps } = bank
  const { block } = slots
  const { steps, image } = stridesOf(bank)
  const bases = [...new Set([1, block, ...steps.map((step) => block * step), block * image])]
  const power = (exponent: number) => sink.power(exponent, bases)
  /** Times a power, which costs nothing if it is one. */
  const times = (sum: Sum, exponent: number): Sum =>
    exponent === 0 ? sum : sole(sink.product(sum, sole(power(exponent))))

  const offsets = (tap: number): number[] => {
    const at = new Array<number>(axes.length)
    for (let a = axes.length - 1, rest = tap; a >= 0; a--) {
      at[a] = rest % axes[a].kernel
      rest = Math.floor(rest / axes[a].kernel)
    }
    return at
  }
  const last = axes.map((axis) => windowOf(axis, axis.kernel - 1).from)
  const shifts = Array.from({ length: taps }, (_, tap) =>
    offsets(tap).reduce((sum, b, a) => sum + steps[a] * (last[a] - windowOf(axes[a], b).from), 0),
  )
  const windows = Array.from({ length: channels }, (_, channel) =>
    (slots.flat ? windowsAtOnce : windowSums)(bank, channel, wires.x, (sum, blocks) =>
      times(sum, block * blocks),
    ),
  )
  const factor = (channel: number, tap: number): Sum =>
    weightSum(bank, slots, channel, tap, wires, sink, power)

  // taps that are shifted furthest first: what follows them is added up with the rest of their shift still to come
  const order = Array.from(shifts.keys()).sort((s, t) => shifts[t] - shifts[s])
  const factors: { u: Sum; v: Sum; shift: number }[] = []
  for (const tap of order)
    for (let channel = 0; channel < channels; channel++) {
      const v = windows[channel][tap]
      if (v.wires.length === 0) continue
      factors.push({ u: factor(channel, tap), v, shift: shifts[tap] })
    }
  if (factors.length === 0) return false
  const all = block * last.reduce((sum, from, a) => sum + steps[a] * from, 0)
  const right = slots.pairedOutputs
    ? pairedOutputSum(bank, block, wires, sink, power, all)
    : outputSum(bank, slots, wires.y, all, times)
  const distinct = (side: "u" | "v") => new Set(factors.flatMap((of) => of[side].wires)).size
  // side B takes whichever has fewer wires: its points are dear
  const [wide, narrow] = distinct("u") > distinct("v") ? (["u", "v"] as const) : (["v", "u"] as const)
  let before: number | undefined
  let shift = factors[0].shift
  for (const [i, of] of factors.entries()) {
    if (of.shift < shift && before !== undefined) {
      before = sink.product(sole(before), sole(power(block * (shift - of.shift))))
      shift = of.shift
    }
    const [a, b] = [of[wide], of[narrow]]
    if (i < factors.length - 1) before = sink.product(a, b, before)
    else if (of.shift === 0) sink.equation(a, b, before, right)
    else {
      before = sink.product(a, b, before)
      sink.equation(sole(before), sole(power(block * of.shift)), undefined, right)
    }
  }
  return true
}

/** v of each tap of a channel, axis by axis from the last one. */
function windowSums(
  bank: Bank,
  channel: number,
  x: BankWires["x"],
  times: (sum: Sum, blocks: number) => Sum,
): readonly Sum[] {
  const { axes, n, input, inArea, taps } = bank
  const { steps, image } = stridesOf(bank)
  if (axes.length === 0) {
    const terms: Sum[] = []
    for (let row = 0; row < n; row++) {
      const element = x(input(row, channel, 0))
      if (element) terms.push(times(element, row))
    }
    return [added(terms)]
  }
  // level a: of each image and place on the axes before a, a sum for each kernel offset on the axes from a on
  let outer = inArea
  let inner = 1
  let level = Array.from({ length: n * inArea }, (_, i) =>
    x(input(Math.floor(i / inArea), channel, i % inArea)),
  )
  for (let a = axes.length - 1; a >= 0; a--) {
    const axis = axes[a]
    outer /= axis.size
    const reads = Array.from({ length: axis.kernel }, (_, b) => readsOf(axis, b))
    const placeOf = new Map(reads.flat().map(({ coordinate, place }) => [coordinate, place]))
    const next: (Sum | undefined)[] = new Array(n * outer * axis.kernel * inner)
    for (let of = 0; of < n * outer; of++) {
      // the outermost axis has the images behind one another
      const offset = a === 0 ? Math.floor(of / outer) * image : 0
      for (let offsetBehind = 0; offsetBehind < inner; offsetBehind++) {
        const moved = new Map<number, Sum>()
        for (const [coordinate, place] of [...placeOf].sort(([s], [t]) => s - t)) {
          const sum = level[(of * axis.size + coordinate) * inner + offsetBehind]
          if (sum) moved.set(coordinate, times(sum, steps[a] * place + offset))
        }
        for (let b = 0; b < axis.kernel; b++) {
          const terms = reads[b].flatMap(({ coordinate }) => moved.get(coordinate) ?? [])
          next[(of * axis.kernel + b) * inner + offsetBehind] = terms.length > 0 ? added(terms) : undefined
        }
      }
    }
    level = next
    inner *= axis.kernel
  }
  return Array.from({ length: taps }, (_, tap) =>
    added(Array.from({ length: n }, (_unused, image) => level[image * taps + tap] ?? sumOf([]))),
  )
}

/** The sum of combinations, each wire once. */
function added(sums: readonly Sum[]): Sum {
  if (sums.length === 1) return sums[0]
  const terms = new Map<number, number>()
  for (const { wires, coefficients } of sums)
    for (let j = 0; j < wires.length; j++) terms.set(wires[j], (terms.get(wires[j]) ?? 0) + coefficients[j])
  return sumOf([...terms].filter(([, coefficient]) => coefficient !== 0))
}

/** The same with all axes at once: a power for each place, and no products but one for each element. */
function windowsAtOnce(
  bank: Bank,
  channel: number,
  x: BankWires["x"],
  times: (sum: Sum, blocks: number) => Sum,
): readonly Sum[] {
  const { axes, n, input, inArea, taps } = bank
  const { steps, image } = stridesOf(bank)
  const reads = axes.map((axis) => Array.from({ length: axis.kernel }, (_, b) => readsOf(axis, b)))
  const moved = new Map<number, Sum | undefined>()
  const elementAt = (index: number, place: number): Sum | undefined => {
    if (!moved.has(index)) {
      const element = x(input(Math.floor(index / inArea), channel, index % inArea))
      moved.set(index, element && times(element, place))
    }
    return moved.get(index)
  }
  return Array.from({ length: taps }, (_, tap) => {
    let offsets = tap
    let at = Array.from({ length: n }, (_unused, i) => ({ index: i, place: i * image }))
    const own: number[] = []
    for (let a = axes.length - 1; a >= 0; a--) {
      own[a] = offsets % axes[a].kernel
      offsets = Math.floor(offsets / axes[a].kernel)
    }
    for (const [a, axis] of axes.entries())
      at = at.flatMap(({ index, place }) =>
        reads[a][own[a]].map((read) => ({
          index: index * axis.size + read.coordinate,
          place: place + steps[a] * read.place,
        })),
      )
    return added(at.flatMap(({ index, place }) => elementAt(index, place) ?? []))
  })
}

/** A sum of v_o · c^slot(o) by pairs, and of products of v alone; what is left is in slot 0. */
function pairSums(
  values: readonly number[],
  block: number,
  sink: Sink,
  power: (exponent: number) => number,
): [wire: number, coefficient: number][] {
  const count = values.length
  const pairs = Math.floor(count / 2)
  const plus = (value: number, slot: number) =>
    sumOf([
      [value, 1],
      [power(slot), 1],
    ])
  // slots o + 1 and count − o
  const terms = Array.from({ length: pairs }, (_, o): [number, number] => [
    sink.product(plus(values[o], count - o), plus(values[count - 1 - o], o + 1)),
    1,
  ])
  if (count % 2 === 1) terms.push([sink.product(sole(values[pairs]), sole(power(pairs + 1))), 1])
  return [...terms, [power(block), -pairs]]
}

/** u of a tap. */
function weightSum(
  { outputs, weight }: Bank,
  { paired, block }: Slots,
  channel: number,
  tap: number,
  wires: BankWires,
  sink: Sink,
  power: (exponent: number) => number,
): Sum {
  const own = Array.from({ length: outputs }, (_, o) => wires.weight(weight(o, channel, tap)))
  if (paired) return sumOf([...pairSums(own, block, sink, power), [wires.constant(channel, tap), -1]])
  // Horner's rule
  let sum = sole(own[outputs - 1])
  for (let o = outputs - 2; o >= 0; o--) sum = added([sole(sink.product(sum, sole(power(1)))), sole(own[o])])
  return sum
}

/** y times the power that its equation has: at each position by pairs, and then by Horner's rule. */
function pairedOutputSum(
  { n, outputs, outArea, output }: Bank,
  block: number,
  wires: BankWires,
  sink: Sink,
  power: (exponent: number) => number,
  all: number,
): Sum {
  let sum = sumOf([])
  for (let image = n - 1; image >= 0; image--)
    for (let place = outArea - 1; place >= 0; place--) {
      const own = Array.from({ length: outputs }, (_, o) => wires.y(output(image, o, place)))
      const taken = wires.products(image, place)
      const here = added([
        sumOf(pairSums(own, block, sink, power)),
        { wires: taken.wires, coefficients: taken.coefficients.map((coefficient) => -coefficient) },
      ])
      const behind = sum.wires.length === 0 ? [] : [sole(sink.product(sum, sole(power(block))))]
      sum = added([...behind, here])
    }
  return all === 0 ? sum : sole(sink.product(sum, sole(power(all))))
}

/** The same by Horner's rule alone, from the highest exponent on. */
function outputSum(
  { n, outputs, outArea, output }: Bank,
  slots: Slots,
  y: BankWires["y"],
  all: number,
  times: (sum: Sum, exponent: number) => Sum,
): Sum {
  let sum = sumOf([])
  let above = 0
  for (let image = n - 1; image >= 0; image--)
    for (let place = outArea - 1; place >= 0; place--)
      for (let o = outputs - 1; o >= 0; o--) {
        const exponent = slotOf(slots, o) + slots.block * (image * outArea + place) + all
        const own = sole(y(output(image, o, place)))
        sum = sum.wires.length === 0 ? own : added([own, times(sum, above - exponent)])
        above = exponent
      }
  return times(sum, above)
}
