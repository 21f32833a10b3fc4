/** Linear maps and contractions on a device: exact for integers of any width, checked, and within float32 for reals. */
import fc from "fast-check"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { applyMap } from "#src/ops/linearmap.js"
import type { LinearMap } from "#src/ops/program.js"
import { type Device, WrongNumbers } from "#src/quantize/backends/device.js"
import { limbOf, mostOfLimb } from "#src/quantize/backends/limbs.js"
import { contractionOnDevice, mapOnDevice } from "#src/quantize/backends/products.js"
import { selfTest } from "#src/quantize/backends/selftest.js"
import { startDevice } from "#src/quantize/backends/tfjs.js"
import { elevenBits, held, loopDevice } from "../../support/devices.js"
import { Random } from "../../support/random.js"

const outputs = (map: LinearMap): number =>
  map.kind === "dense"
    ? map.n * map.m
    : map.kind === "conv"
      ? map.outSize.reduce((a, b) => a * b, map.n * map.outChannels)
      : map.rowPtr.length - 1

/** Whole numbers up to a magnitude, the largest among them. */
const wholes = (random: Random, count: number, most: number) =>
  Float64Array.from({ length: count }, () =>
    random.next() < 0.2 ? random.pick([most, -most]) : random.integer(-most, most),
  )

const seeds = fc.integer({ min: 0, max: 2 ** 30 })

/** Convolutions of four channels to eight. */
const convolutions: [
  string,
  Partial<Extract<LinearMap, { kind: "conv" }>> & {
    inSize: number[]
    kernel: number[]
    outSize: number[]
    strides: number[]
  },
][] = [
  ["one axis", { inSize: [9], kernel: [3], strides: [2], padsBegin: [1], dilations: [1], outSize: [5] }],
  [
    "unequal padding",
    { inSize: [5, 4], kernel: [3, 2], strides: [1, 1], padsBegin: [2, 0], outSize: [5, 4] },
  ],
  ["groups", { groups: 2, inSize: [5, 5], kernel: [2, 2], strides: [1, 1], outSize: [4, 4] }],
  ["channel by channel", { groups: 4, inSize: [5, 5], kernel: [3, 3], strides: [2, 2], outSize: [2, 2] }],
  ["dilation", { inSize: [6, 6], kernel: [2, 2], strides: [1, 1], dilations: [2, 3], outSize: [4, 3] }],
  [
    "dilation with strides",
    { inSize: [9, 9], kernel: [2, 2], strides: [2, 2], dilations: [2, 2], outSize: [4, 4] },
  ],
  ["cropping", { inSize: [6, 6], kernel: [2, 2], strides: [1, 1], padsBegin: [-1, -2], outSize: [2, 3] }],
  ["unused last rows", { inSize: [8, 8], kernel: [2, 2], strides: [3, 3], outSize: [2, 2] }],
  ["three axes", { inSize: [3, 3, 3], kernel: [2, 2, 2], strides: [1, 1, 1], outSize: [2, 2, 2] }],
  ["a batch", { n: 2, inSize: [3, 3], kernel: [2, 2], strides: [1, 1], outSize: [2, 2] }],
]
const convolution = (given: (typeof convolutions)[number][1], weight: (count: number) => Float64Array) => {
  const { groups = 1 } = given
  return {
    kind: "conv" as const,
    n: 1,
    groups,
    inChannels: 4,
    outChannels: 8,
    padsBegin: given.inSize.map(() => 0),
    dilations: given.inSize.map(() => 1),
    ...given,
    weight: weight((8 * 4 * given.kernel.reduce((a, b) => a * b)) / groups),
  } satisfies LinearMap
}
const inputsOf = (map: LinearMap): number =>
  map.kind === "dense"
    ? map.n * map.k
    : map.kind === "conv"
      ? map.inSize.reduce((a, b) => a * b, map.n * 4)
      : 0

/** What a map gives on a device and in loops for two samples; undefined where the device is not asked. */
async function both(
  device: Device,
  map: LinearMap,
  x: Float64Array,
  exact?: { most: number; operandBits: number },
) {
  const size = x.length / 2
  const product = mapOnDevice(
    device,
    map,
    exact && { operandBits: exact.operandBits, mostOf: () => new Float64Array(size).fill(exact.most) },
  )
  if (!product) return undefined
  const many = outputs(map)
  const [got, expected] = [new Float64Array(2 * many), new Float64Array(2 * many)]
  try {
    await product.add(x, got, 2)
  } finally {
    product.dispose()
  }
  for (const i of [0, 1])
    applyMap(map, x.subarray(i * size, (i + 1) * size), expected.subarray(i * many, (i + 1) * many))
  return { got, expected }
}

describe("limbs", () => {
  it("make up the number, and are as large as is said at most", () => {
    const numbers = fc.integer({ min: -(2 ** 40), max: 2 ** 40 })
    fc.assert(
      fc.property(
        numbers,
        fc.integer({ min: 1, max: 14 }),
        fc.integer({ min: 0, max: 2 ** 40 }),
        (x, bits, more) => {
          const limbs = { count: 41, bits }
          let sum = 0
          for (let i = 0; i < limbs.count; i++) {
            const limb = limbOf(x, limbs, i)
            expect(Math.abs(limb)).toBeLessThanOrEqual(mostOfLimb(Math.abs(x) + more, limbs, i))
            sum += 2 ** (bits * i) * limb
          }
          expect(sum).toBe(x)
        },
      ),
    )
  })
})

describe.each(["WebAssembly", "factors of eleven bits"])("a device with %s", (kind) => {
  let device: Device
  let operandBits: number
  beforeAll(async () => {
    device = kind === "WebAssembly" ? await startDevice("wasm") : loopDevice({ factor: elevenBits })
    operandBits = await selfTest(device)
    expect(operandBits).toBe(kind === "WebAssembly" ? 24 : 11)
  })
  afterAll(() => device.close())

  it("is exact in dense maps, of weights and sources up to 40 bits together", async () => {
    let asked = 0
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const random = new Random(seed)
        const [n, k, m] = [random.integer(1, 3), random.integer(1, 40), random.integer(1, 9)]
        const [weights, most] = [2 ** random.integer(0, 22), 2 ** random.integer(0, 18)]
        const map = { kind: "dense", n, k, m, weight: wholes(random, m * k, weights) } as const
        const result = await both(device, map, wholes(random, 2 * n * k, most), { most, operandBits })
        if (!result) return
        asked++
        expect(result.got).toEqual(result.expected)
      }),
      { numRuns: 100 },
    )
    expect(asked).toBeGreaterThan(60)
  })

  it.each(convolutions)("is exact in a convolution with %s", async (name, given) => {
    for (const bits of [4, 10, 16]) {
      const random = new Random(bits)
      const map = convolution(given, (count) => wholes(random, count, 2 ** bits))
      const most = 2 ** 12 - 1
      const result = await both(device, map, wholes(random, 2 * inputsOf(map), most), { most, operandBits })
      const isNone = name === "three axes" || name === "dilation with strides"
      expect(result === undefined).toBe(isNone)
      expect(result?.got).toEqual(result?.expected)
    }
  })

  it("is exact in contractions", async () => {
    let asked = 0
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const random = new Random(seed)
        const shape = {
          batch: random.integer(1, 3),
          m: random.integer(1, 5),
          k: random.integer(1, 20),
          n: random.integer(1, 5),
        }
        const { batch, m, k, n } = shape
        const most = [2 ** random.integer(0, 20), 2 ** random.integer(0, 18)]
        const run = contractionOnDevice(device, shape, {
          operandBits,
          mostOf: (which) => Float64Array.of(most[which === "first" ? 0 : 1]),
        })
        if (!run) return
        asked++
        const [x, y] = [
          wholes(random, 2 * batch * m * k, most[0]),
          wholes(random, 2 * batch * k * n, most[1]),
        ]
        const expected = Float64Array.from({ length: 2 * batch * m * n }, (_, i) => {
          const [row, j] = [Math.floor(i / n), i % n]
          let sum = 0
          for (let l = 0; l < k; l++) sum += x[row * k + l] * y[(Math.floor(row / m) * k + l) * n + j]
          return sum
        })
        expect(await run(x, y, 2)).toEqual(expected)
      }),
      { numRuns: 60 },
    )
    expect(asked).toBeGreaterThan(40)
  })

  it.each(convolutions)("is near enough for reals in a convolution with %s", async (_, given) => {
    const random = new Random(11)
    const map = convolution(given, (count) => Float64Array.from(random.reals(count)))
    const result = await both(device, map, Float64Array.from(random.reals(2 * inputsOf(map))))
    const within = kind === "WebAssembly" ? 1e-5 : 1e-1
    result?.got.forEach((y, i) => {
      expect(Math.abs(y - result.expected[i])).toBeLessThan(within)
    })
  })
})

describe("a wrong number", () => {
  /** A device that is right until it is told otherwise. */
  const turning = (change: (values: Float32Array) => Float32Array) => {
    const state = { wrong: false }
    return { state, device: loopDevice({ result: (values) => (state.wrong ? change(values) : values) }) }
  }

  it("is found wherever it stands, however little it is off", async () => {
    await fc.assert(
      fc.asyncProperty(seeds, async (seed) => {
        const random = new Random(seed)
        const { state, device } = turning((values) => {
          const changed = values.slice()
          const at = random.integer(0, values.length - 1)
          changed[at] += random.pick([1, -1, 2 ** 20, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
          return changed
        })
        const [, given] = random.pick(
          convolutions.filter(([name]) => name !== "three axes" && !name.includes("with")),
        )
        const map =
          random.next() < 0.5
            ? convolution(given, (count) => wholes(random, count, 2 ** 14))
            : ({ kind: "dense", n: 2, k: 7, m: 5, weight: wholes(random, 35, 2 ** 14) } as const)
        const x = wholes(random, 2 * inputsOf(map), 2 ** 8)
        state.wrong = true
        const failed = both(device, map, x, { most: 2 ** 8, operandBits: 24 })
        await expect(failed).rejects.toBeInstanceOf(WrongNumbers)
        const run = contractionOnDevice(
          device,
          { batch: 2, m: 3, k: 4, n: 5 },
          { operandBits: 24, mostOf: () => Float64Array.of(2 ** 8) },
        )
        const product = run?.(wholes(random, 48, 2 ** 8), wholes(random, 80, 2 ** 8), 2)
        await expect(product).rejects.toBeInstanceOf(WrongNumbers)
        expect(held()).toBe(0)
      }),
      { numRuns: 100 },
    )
  })

  it("is found if two make up for each other", async () => {
    let found = 0
    for (let run = 0; run < 200; run++) {
      const random = new Random(run)
      const { state, device } = turning((values) => {
        const changed = values.slice()
        const at = random.integer(1, values.length - 1)
        changed[at] += 3
        changed[at - 1] -= 3
        return changed
      })
      const map = { kind: "dense", n: 1, k: 7, m: 50, weight: wholes(random, 350, 100) } as const
      state.wrong = true
      await both(device, map, wholes(random, 14, 100), { most: 100, operandBits: 24 }).catch(() => found++)
    }
    // one of 2^16 pairs of factors is equal
    expect(found).toBeGreaterThanOrEqual(198)
  })
})
