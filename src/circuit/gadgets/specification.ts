/**
 * What each gadget proves, as its circom header says it, in integers without limit: the function, and where it is
 * defined. Nothing is shared with the hints in families.ts; `audit` compares circuits and models by it.
 */
import { InvariantError } from "../../errors.js"
import type { GadgetUse, gadgetKinds } from "./families.js"

type Specification = (parameters: readonly bigint[], operands: readonly bigint[]) => bigint | undefined

const power = (exponent: bigint): bigint => 1n << exponent
const abs = (x: bigint): bigint => (x < 0n ? -x : x)
const larger = (x: bigint, y: bigint): bigint => (x > y ? x : y)

/** clamp(acc >> k, 0, 2^w − 1) where `isDefined` says so of d, the distance of the quotient from the window. */
const clamped = (
  k: bigint,
  w: bigint,
  acc: bigint,
  isDefined: (d: bigint) => boolean,
): bigint | undefined => {
  const [quotient, top] = [acc >> k, power(w) - 1n]
  const out = quotient < 0n ? 0n : quotient > top ? top : quotient
  return isDefined(quotient - out) ? out : undefined
}

const smaller = (x: bigint, y: bigint): bigint => (x < y ? x : y)

const isClose = (b: bigint, operands: readonly bigint[]): boolean =>
  operands.reduce(larger) - operands.reduce(smaller) < power(b)

const largest: Specification = ([, b], operands) =>
  isClose(b, operands) ? operands.reduce(larger) : undefined

const argmax: Specification = ([, b], operands) =>
  isClose(b, operands) ? BigInt(operands.indexOf(operands.reduce(larger))) : undefined

const specifications: Readonly<Record<string, Specification>> = {
  InRange: ([n], [x]) => (x >= 0n && x < power(n) ? x : undefined),
  Clamp: ([k, w, t], [acc]) => clamped(k, w, acc, () => acc >= -power(k + w + t) && acc < power(k + w + t)),
  Rectify: ([k, n], [acc]) => clamped(k, n, acc, () => acc >= -power(k + n) && acc < power(k + n)),
  Threshold: ([k, n], [acc]) => clamped(k, 1n, acc, () => abs(2n * (acc - power(k)) + 1n) < 2n * power(n)),
  Truncate: ([k, n], [acc]) => clamped(k, n, acc, () => acc >= 0n && acc < power(k + n)),
  Complement: ([k, n, e], [acc]) =>
    clamped(k, n, acc, () => acc >= -power(k) * (power(e) - 1n) && acc < power(k + n)),
  Excess: ([k, w, e], [acc]) => clamped(k, w, acc, (d) => abs(d) < power(e)),
  Gated([k, w, n, a, b, j], [acc]) {
    const reach = abs(acc) + power(k) * (power(w) + power(n)) + power(k + n) * larger(a, b)
    return clamped(k, w, acc, (d) => power(k + n + j) > reach && -a * power(n) <= d && d < b * power(n))
  },
  Signed([k, w, n, x, y, j], [acc]) {
    const digits = (power(w * n) - 1n) / (power(w) - 1n)
    const reach = abs(acc) + power(k + w) + power(k) * larger(x, y) * digits
    // n digits, all but the last in base 2^w: the last one may be as large as the table allows
    const most = (last: bigint) => power(w * (n - 1n)) * last + power(w * (n - 1n)) - 1n
    const isTabled = n === 1n || (x >= power(w) - 1n && y >= power(w) - 1n)
    return clamped(k, w, acc, (d) => power(k + j) > reach && isTabled && d <= most(x) && -d <= most(y))
  },
  Max: largest,
  Largest: largest,
  // of the largest: that none exceeds it, other gadgets show
  Chosen: (_, operands) => operands.reduce(larger),
  Below: ([k, m, , , ...values], [max, x]) =>
    max >= x && max - x < power(k) * m ? values[Number((max - x) >> k)] : undefined,
  BelowTable: ([k, n, ...values], [max, x]) =>
    max >= x && max - x < power(k + n) ? values[Number((max - x) >> k)] : undefined,
  Step: ([k, m, , , ...values], [acc]) =>
    acc >= 0n && acc < power(k) * m ? values[Number(acc >> k)] : undefined,
  // the value of a check is its first operand
  Beyond: ([b], [above, below]) => (above > below && above - below <= power(b) ? above : undefined),
  Rest([b, c], [least, mark, key]) {
    if (c === 1n && mark !== 0n && mark !== 1n) return undefined
    const distance = least - key - 1n + power(b) * mark
    return distance >= 0n && distance < power(b) ? least : undefined
  },
  Among: (_, [value, ...list]) => (list.includes(value) ? value : undefined),
  Argmax: argmax,
  Position: argmax,
  Product: (_, [x, y]) => x * y,
  Quotient([b, n, lo], [num, den]) {
    if (den < 1n || 2n * den > power(n)) return undefined
    // in [−den, den), by which num is away from a multiple of 2·den
    const away = ((((2n * num + den) % (2n * den)) + 2n * den) % (2n * den)) - den
    const out = (2n * num - away) / (2n * den) - lo
    return out >= 0n && out < power(b) ? out : undefined
  },
  Root([n], [square]) {
    if (square < 0n) return undefined
    let [out, step] = [0n, power(n)]
    for (; step > 0n; step >>= 1n) if ((out + step) * (out + step) <= square) out += step
    return 2n * out < power(n) ? out : undefined
  },
  Table: ([n, ...values], [x]) => (x >= 0n && x < power(n) ? values[Number(x)] : undefined),
  Entry: ([m, , , ...values], [x]) => (x >= 0n && x < m ? values[Number(x)] : undefined),
} satisfies { readonly [Template in keyof typeof gadgetKinds]: Specification }

/** A gadget as a function of its operands; undefined where it is not defined, so that no proof exists or any might. */
export function specified({
  kind,
  parameters,
}: GadgetUse): (operands: readonly bigint[]) => bigint | undefined {
  const specification = specifications[kind.template]
  if (!specification) throw new InvariantError(`no specification of ${kind.template}`)
  const integers = parameters.map(BigInt)
  return (operands) => specification(integers, operands)
}
