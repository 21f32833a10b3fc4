/**
 * The largest keys under a challenge: every list of falling keys and marks that the rows accept over a small field, what
 * each row is for, and forgeries against weaker rules.
 */
import { describe, expect, it } from "vitest"
import { R1csBuilder } from "#src/circuit/link/builder.js"
import { ProjectionBuilder } from "#src/circuit/link/projection.js"
import { inverse, mod, signed } from "#src/field.js"
import { type IntNode, keysDiffer, type SortNode } from "#src/ops/program.js"

/** All lists of so many elements of the field. */
function* lists(count: number, p: bigint): Generator<bigint[]> {
  if (count === 0) yield []
  else for (const rest of lists(count - 1, p)) for (let x = 0n; x < p; x++) yield [x, ...rest]
}
const field = (p: bigint): bigint[] => Array.from({ length: Number(p) }, (_, i) => BigInt(i))

interface Window {
  readonly falling: readonly bigint[]
  readonly keys: readonly bigint[]
  readonly marks: readonly bigint[]
}

/** The rows of some windows over wires: one, c, then falling keys, keys and marks of each. */
function systemOf(sizes: readonly { count: number; window: number }[]) {
  const builder = new R1csBuilder()
  const challenge = builder.allocate(1)
  const wires = (count: number) =>
    Array.from({ length: count }, () => ({ wires: [builder.allocate(1)], coefficients: [1] }))
  const rows = sizes.map(({ count, window }) => [wires(count), wires(window), wires(window)] as const)
  const projecting = new ProjectionBuilder(builder, challenge)
  for (const window of rows) projecting.among(...window)
  return builder.finish(0, 0, 0)
}

/**
 * Whether the rows hold at a challenge that is no key. Shares follow from their rows; of a row that is deleted the share is
 * whatever a later balance may ask for.
 */
function holds(
  system: ReturnType<typeof systemOf>,
  windows: readonly Window[],
  c: bigint,
  p: bigint,
  deleted = -1,
) {
  const values = [1n, c, ...windows.flatMap(({ falling, keys, marks }) => [...falling, ...keys, ...marks])]
  const sum = ({ rowPtr, wires, coefficients }: typeof system.a, row: number) => {
    let total = 0n
    for (let j = rowPtr[row]; j < rowPtr[row + 1]; j++)
      total += signed(system.values[coefficients[j]]) * (values[wires[j]] ?? 0n)
    return mod(total, p)
  }
  let isFree = false
  for (let row = 0; row < system.rows; row++) {
    const isBalance = system.a.rowPtr[row] === system.a.rowPtr[row + 1]
    if (!isBalance) {
      values.push(mod(sum(system.c, row) * inverse(sum(system.b, row), p), p))
      if (row === deleted) isFree = true
    } else {
      if (row !== deleted && !isFree && sum(system.c, row) !== 0n) return false
      isFree = false
    }
  }
  return true
}

const accepted = (
  system: ReturnType<typeof systemOf>,
  windows: readonly Window[],
  p: bigint,
  deleted = -1,
) => {
  const poles = new Set(windows.flatMap(({ falling, keys }) => [...falling, ...keys]))
  return field(p).filter((c) => !poles.has(c) && holds(system, windows, c, p, deleted)).length
}

/** m_i is how often key i is among the falling ones, and each of these is a key. */
const isRight = ({ falling, keys, marks }: Window) =>
  falling.every((key) => keys.includes(key)) &&
  keys.every((key, i) => marks[i] === BigInt(falling.filter((other) => other === key).length))

describe("over a small field", () => {
  it.each([
    [[3n, 7n], 1, 17n],
    [[0n, 9n], 2, 11n],
    [[5n, 1n, 4n], 1, 11n],
  ] as const)(
    "keys %s, the largest %i of them: every list and all marks, at every challenge",
    (keys, count, p) => {
      const window = keys.length
      const system = systemOf([{ count, window }])
      let [right, most] = [0, 0]
      for (const values of lists(count + window, p)) {
        const given = { falling: values.slice(0, count), keys, marks: values.slice(count) }
        const found = accepted(system, [given], p)
        if (isRight(given)) {
          right++
          const poles = new Set([...given.falling, ...keys]).size
          expect(found).toBe(Number(p) - poles)
        } else {
          most = Math.max(most, found)
          if (found > window + count - 1) expect.fail(`${values} passes for ${found} challenges`)
        }
      }
      expect(right).toBe(window ** count)
      expect(most).toBeGreaterThan(0)
    },
  )

  it("with the checks of small integers, the largest and no others", () => {
    // falling keys fall by less than 2^b, what is not marked is less than the last of them; B + Vmax is less than p
    const [p, b, keys] = [17n, 3n, [5n, 2n, 7n]]
    const inRange = (x: bigint) => mod(x, p) < 1n << b
    const system = systemOf([{ count: 2, window: 3 }])
    const found: string[] = []
    for (const falling of lists(2, p)) {
      if (!inRange(falling[0] - falling[1] - 1n)) continue
      for (const marks of lists(3, p)) {
        if (!keys.every((key, i) => inRange(falling[1] - key - 1n + (1n << b) * marks[i]))) continue
        if (accepted(system, [{ falling, keys, marks }], p) > 4) found.push(`${falling} ${marks}`)
      }
    }
    expect(found).toEqual(["7,5 1,0,1"])
  })

  it("every row is needed", () => {
    const p = 13n
    const sizes = { count: 1, window: 2 }
    const system = systemOf([sizes])
    expect(system.rows).toBe(4)
    for (let row = 0; row < system.rows; row++) {
      let forged = false
      for (const [falling, ...marks] of lists(3, p)) {
        const given = { falling: [falling], keys: [4n, 6n], marks }
        if (isRight(given)) continue
        const poles = new Set([falling, 4n, 6n]).size
        if (accepted(system, [given], p, row) === Number(p) - poles) forged = true
      }
      expect(forged, `row ${row}`).toBe(true)
    }
  })
})

describe("forgeries against weaker rules", () => {
  const p = 101n
  it("marks that are chosen after the challenge", () => {
    const [c, keys, falling] = [50n, [9n, 5n, 1n], [77n, 33n]]
    const system = systemOf([{ count: 2, window: 3 }])
    const target = falling.reduce((sum, key) => sum + inverse(mod(c - key, p), p), 0n)
    const marks = [mod(target * (c - keys[0]), p), 0n, 0n]
    expect(holds(system, [{ falling, keys, marks }], c, p)).toBe(true)
    expect(accepted(system, [{ falling, keys, marks }], p)).toBeLessThanOrEqual(4)
  })

  it("two windows with one balance: a key of one is the largest of the other", () => {
    const windows = [
      { falling: [8n], keys: [9n, 5n], marks: [1n, 0n] },
      { falling: [9n], keys: [8n, 2n], marks: [1n, 0n] },
    ]
    const joined = systemOf([{ count: 2, window: 4 }])
    const both = {
      falling: [8n, 9n],
      keys: windows.flatMap(({ keys }) => keys),
      marks: windows.flatMap(({ marks }) => marks),
    }
    expect(accepted(joined, [both], p)).toBe(Number(p) - 4)
    const apart = systemOf(windows.map(() => ({ count: 1, window: 2 })))
    expect(accepted(apart, windows, p)).toBe(0)
  })

  it("keys that are equal: either may be marked, or both by halves", () => {
    const system = systemOf([{ count: 1, window: 2 }])
    for (const marks of [
      [1n, 0n],
      [0n, 1n],
      [51n, 51n],
    ])
      expect(accepted(system, [{ falling: [4n], keys: [4n, 4n], marks }], p)).toBe(Number(p) - 1)
  })

  it("no lookups at all: 9, 9, 9 of 9, 5, 1, unless keys have to fall", () => {
    const [falling, keys] = [
      [9n, 9n, 9n],
      [9n, 5n, 1n],
    ]
    const system = systemOf([{ count: 3, window: 3 }])
    for (const marks of [
      [1n, 1n, 1n],
      [1n, 0n, 0n],
    ])
      expect(accepted(system, [{ falling, keys, marks }], p)).toBeLessThan(6)
    // that it is a key, three times, is true
    expect(accepted(system, [{ falling, keys, marks: [3n, 0n, 0n] }], p)).toBe(Number(p) - 3)
    expect(falling.every((key, i) => i === 0 || mod(falling[i - 1] - key - 1n, p) < 16n)).toBe(false)
  })

  it("gaps as wide as the field: rising keys pass as falling, and no more once B + Vmax < p", () => {
    const falls = (list: readonly bigint[], B: bigint, of: bigint) =>
      list.every((key, i) => i === 0 || mod(list[i - 1] - key - 1n, of) < B)
    expect(falls([0n, 64n], 64n, 128n)).toBe(true)
    expect(falls([0n, 64n], 63n, 128n)).toBe(false)
    expect(falls([0n, 64n], 64n, 129n)).toBe(false)
  })
})

it("keys differ only if that can be seen of the node that makes them", () => {
  const origin = { name: "", operator: "" }
  const map = Int32Array.from([0, 1, 2])
  const node: SortNode = { kind: "sort", out: 2, source: 1, window: 3, count: 1, map, origin }
  const keys = (weights: number[], bias: number[] | undefined): IntNode => ({
    kind: "linear",
    out: 1,
    terms: [
      {
        source: 0,
        map: {
          kind: "sparse",
          rowPtr: Uint32Array.from([0, 1, 2, 3]),
          columns: Uint32Array.from([0, 1, 2]),
          values: Float64Array.from(weights),
        },
      },
    ],
    ...(bias && { bias: Float64Array.from(bias) }),
    origin,
  })
  expect(keysDiffer(node, keys([4, 4, 4], [2, 1, 0]))).toBe(true)
  expect(keysDiffer(node, keys([4, -8, 0], [2, 5, -4]))).toBe(true)
  expect(keysDiffer(node, keys([4, 4, 2], [2, 1, 0]))).toBe(false)
  expect(keysDiffer(node, keys([4, 4, 4], [2, 1, 1]))).toBe(false)
  expect(keysDiffer(node, keys([4, 4, 4], [2, 1, -3]))).toBe(false)
  expect(keysDiffer(node, keys([4, 4, 4], undefined))).toBe(false)
  expect(keysDiffer({ ...node, source: 0 }, keys([4, 4, 4], [2, 1, 0]))).toBe(false)
  expect(keysDiffer(node, undefined)).toBe(false)
})
