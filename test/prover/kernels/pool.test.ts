/** Threads over one memory: every item once, in order of need; aborts, deaths and traps; nothing left over. */
import { afterAll, beforeAll, describe, expect, test } from "vitest"
import { CountersignError, InvariantError, UsageError } from "#src/errors.js"
import { KernelMemory } from "#src/prover/kernels/memory.js"
import { KernelPool, type Step } from "#src/prover/kernels/pool.js"

const sized = (...content: (number | number[])[]): number[] => {
  const bytes = content.flat()
  return [bytes.length, ...bytes]
}
const name = (text: string): number[] => sized([...new TextEncoder().encode(text)])

/** A module with one kernel for each body, all (item, args, scratch) → void, over env.memory. */
function moduleOf(bodies: Record<string, number[]>): Uint8Array {
  const names = Object.keys(bodies)
  const i32 = 0x7f
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...[1, ...sized(1, 0x60, 3, i32, i32, i32, 0)],
    ...[2, ...sized(1, name("env"), name("memory"), 2, 3, 1, 0x80, 0x80, 4)],
    ...[3, ...sized(names.length, ...names.map(() => 0))],
    ...[7, ...sized(names.length, ...names.map((text, i) => [...name(text), 0, i]))],
    ...[10, ...sized(names.length, ...Object.values(bodies).map((body) => sized(0, body)))],
  ])
}

/** args + 4·item */
const place = [0x20, 1, 0x20, 0, 0x41, 2, 0x74, 0x6a]
const wasm = moduleOf({
  // words[args][item] += 1
  count: [...place, 0x41, 1, 0xfe, 0x1e, 2, 0, 0x1a, 0x0b],
  // words[args][item] = scratch
  where: [...place, 0x20, 2, 0x36, 2, 0, 0x0b],
  // args rounds of nothing
  spin: [0x03, 0x40, 0x20, 1, 0x41, 1, 0x6b, 0x22, 1, 0x0d, 0, 0x0b, 0x0b],
  // words[args] += 1: the clock
  tick: [0x20, 1, 0x41, 1, 0xfe, 0x1e, 2, 0, 0x1a, 0x0b],
  // words[args][item + 1] = words[args]: what the clock says
  look: [...place, 0x20, 1, 0xfe, 0x10, 2, 0, 0x36, 2, 4, 0x0b],
  trap: [0x00, 0x0b],
})
const rounds = 20_000_000

describe.each([true, false])("shared %s", (shared) => {
  let pool: KernelPool
  beforeAll(async () => {
    pool = await KernelPool.open({ wasm, threads: 3, shared })
  })
  afterAll(() => pool.close())
  const zeros = (length: number): number => {
    const at = pool.memory.allocate(4 * length, "test data")
    pool.memory.words(at, length).fill(0)
    return at
  }

  test("every item is done once", async () => {
    const at = zeros(1000)
    await pool.run([{ kernel: "count", args: at, items: 1000 }])
    expect(pool.memory.words(at, 1000).every((x) => x === 1)).toBe(true)
    pool.memory.release(at)
  })

  test("no steps, and steps without items, are complete at once", async () => {
    const at = zeros(1)
    await pool.run([])
    await pool.run([
      { kernel: "trap", args: 0, items: 0 },
      { kernel: "count", args: at, items: 1, after: [0] },
    ])
    expect(pool.memory.words(at, 1)[0]).toBe(1)
    pool.memory.release(at)
  })

  test("a step waits until those before it are complete", async () => {
    const at = zeros(10)
    for (let repeat = 0; repeat < 50; repeat++) {
      pool.memory.words(at, 10).fill(0)
      await pool.run([
        { kernel: "spin", args: 1000, items: 1 },
        { kernel: "tick", args: at, items: 7, after: [0] },
        { kernel: "look", args: at, items: 8, after: [1] },
        { kernel: "tick", args: at, items: 5, after: [2] },
        { kernel: "spin", args: 100, items: 5 },
      ])
      expect([...pool.memory.words(at, 9)]).toEqual([12, 7, 7, 7, 7, 7, 7, 7, 7])
    }
    pool.memory.release(at)
  })

  test("each thread has scratch of its own", async () => {
    const at = zeros(300)
    const [where, spin]: Step[] = [
      { kernel: "where", args: at, items: 300, scratchBytes: 1000 },
      { kernel: "spin", args: 100_000, items: 30 },
    ]
    await pool.run([spin, where])
    const seen = [...new Set(pool.memory.words(at, 300))].sort((a, b) => a - b)
    for (let i = 1; i < seen.length; i++) expect(seen[i] - seen[i - 1]).toBeGreaterThanOrEqual(1000)
    expect(seen.length).toBeLessThanOrEqual(pool.threads)
    pool.memory.release(at)
  })

  test("programs wait for one another", async () => {
    const at = zeros(1)
    await Promise.all(Array.from({ length: 20 }, () => pool.run([{ kernel: "count", args: at, items: 1 }])))
    expect(pool.memory.words(at, 1)[0]).toBe(20)
    pool.memory.release(at)
  })

  test("memory that grows is seen by all threads", async () => {
    const large = zeros(8 * 2 ** 20)
    await pool.run([{ kernel: "count", args: large, items: 100 }])
    const end = large + 4 * (8 * 2 ** 20 - 100)
    await pool.run([{ kernel: "count", args: end, items: 100 }])
    expect(pool.memory.words(large, 8 * 2 ** 20).reduce((a, b) => a + b, 0)).toBe(200)
    pool.memory.release(large)
  })

  test("progress rises to the total", async () => {
    const seen: [number, number][] = []
    await pool.run([{ kernel: "spin", args: rounds, items: 24 }], {
      onProgress: (done, total) => seen.push([done, total]),
    })
    expect(seen.at(-1)).toEqual([24, 24])
    expect(seen.map(([done]) => done)).toEqual(seen.map(([done]) => done).sort((a, b) => a - b))
  })

  test("an abort stops between items, and the pool goes on", async () => {
    const controller = new AbortController()
    setTimeout(() => controller.abort(), 20)
    const work = pool.run([{ kernel: "spin", args: rounds, items: 100_000 }], { signal: controller.signal })
    await expect(work).rejects.toMatchObject({ name: "AbortError" })
    const before = AbortSignal.abort()
    await expect(pool.run([{ kernel: "trap", args: 0, items: 1 }], { signal: before })).rejects.toMatchObject(
      {
        name: "AbortError",
      },
    )
    const at = zeros(1)
    await pool.run([{ kernel: "count", args: at, items: 1 }])
    expect(pool.memory.words(at, 1)[0]).toBe(1)
    pool.memory.release(at)
  })

  test("a kernel that traps, or is none, is a broken invariant, and the pool goes on", async () => {
    const steps: Step[] = [
      { kernel: "trap", args: 0, items: 1 },
      { kernel: "spin", args: 1000, items: 100, after: [0] },
    ]
    await expect(pool.run(steps)).rejects.toThrow(InvariantError)
    await expect(pool.run([{ kernel: "none", args: 0, items: 1 }])).rejects.toThrow(InvariantError)
    await pool.run([{ kernel: "spin", args: 1000, items: 100 }])
  })

  test("200 programs leave the memory as it was", async () => {
    const program = () => pool.run([{ kernel: "spin", args: 100, items: 10, scratchBytes: 2000 }])
    await program()
    const { allocated, size } = pool.memory
    for (let i = 0; i < 200; i++) await program()
    expect(pool.memory.allocated).toBe(allocated)
    expect(pool.memory.size).toBe(size)
  })
})

describe("ends", () => {
  const endless: Step = { kernel: "spin", args: rounds, items: 1_000_000 }

  test("closing rejects what is under way and what comes later, and may be repeated", async () => {
    for (const shared of [true, false]) {
      const pool = await KernelPool.open({ wasm, threads: 2, shared })
      const work = expect(pool.run([endless])).rejects.toThrow(/closed/)
      const waiting = expect(pool.run([endless])).rejects.toThrow(/closed/)
      await new Promise((resolve) => setTimeout(resolve, 20))
      await pool.close()
      await pool.close()
      await work
      await waiting
      await expect(pool.run([endless])).rejects.toThrow(CountersignError)
    }
  })

  test("a worker that dies fails the program, and the next one has new workers and the same memory", async () => {
    const pool = await KernelPool.open({ wasm, threads: 2, shared: true })
    const at = pool.memory.allocate(4, "test data")
    pool.memory.words(at, 1)[0] = 41
    // the first death by the hand of the test: there is no kernel that kills its thread
    type Inside = { team: Promise<{ members: { thread: { terminate(): Promise<void> } }[] }> }
    const { members } = await (pool as unknown as Inside).team
    const work = expect(pool.run([endless])).rejects.toThrow(/a worker died: exit code 1/)
    await new Promise((resolve) => setTimeout(resolve, 20))
    await members[1].thread.terminate()
    await work
    await pool.run([{ kernel: "count", args: at, items: 1 }])
    expect(pool.memory.words(at, 1)[0]).toBe(42)
    await pool.close()
  })

  test("threads that nobody asked for are started when there is work for them", async () => {
    let threads = 0
    const onThread = () => threads++
    process.on("worker", onThread)
    const pool = await KernelPool.open({ wasm, shared: true })
    const at = pool.memory.allocate(4, "test data")
    pool.memory.words(at, 1)[0] = 0
    await pool.run([{ kernel: "count", args: at, items: 1 }])
    expect(threads).toBe(0)
    await pool.run([{ kernel: "spin", args: rounds, items: 20 }])
    expect(threads).toBe(pool.threads)
    await pool.run([{ kernel: "count", args: at, items: 1 }])
    expect(pool.memory.words(at, 1)[0]).toBe(2)
    process.off("worker", onThread)
    await pool.close()
  })

  test.each([0, -1, 1.5, Number.NaN])("%s threads are refused", async (threads) => {
    await expect(KernelPool.open({ wasm, threads })).rejects.toThrow(UsageError)
  })
})

describe("memory", () => {
  test("blocks are aligned, disjoint, and reused when released in any order", () => {
    const memory = new KernelMemory({ shared: false })
    let state = 1
    const random = (n: number) => (state = (state * 48271) % 2147483647) % n
    const held: { at: number; bytes: number }[] = []
    for (let i = 0; i < 2000; i++) {
      if (held.length > 20 || (held.length > 0 && random(3) === 0)) {
        memory.release(held.splice(random(held.length), 1)[0].at)
        continue
      }
      const bytes = random(5000)
      const at = memory.allocate(bytes, "a block")
      expect(at % 64).toBe(0)
      for (const other of held) {
        expect(at + bytes <= other.at || other.at + other.bytes <= at).toBe(true)
      }
      held.push({ at, bytes })
    }
    for (const { at } of held) memory.release(at)
    expect(memory.allocated).toBe(0)
    expect(memory.size).toBeLessThanOrEqual(8 * 2 ** 20)
    expect(() => memory.release(64)).toThrow(InvariantError)
  })

  test("what does not fit is refused with the figures, and the memory stays usable", () => {
    const memory = new KernelMemory({ shared: true, maximumBytes: 10 * 2 ** 20 })
    const at = memory.allocate(8 * 2 ** 20, "the key")
    expect(memory.fits(1.9 * 2 ** 20)).toBe(true)
    expect(memory.fits(2 * 2 ** 20)).toBe(false)
    expect(() => memory.allocate(3 * 2 ** 20, "the points of the key")).toThrow(
      /the points of the key does not fit into memory; expected at most 2\.0 MiB next to 8\.0 MiB in use; given 3\.0 MiB/,
    )
    memory.release(at)
    memory.allocate(9 * 2 ** 20, "the key")
  })

  test("addresses above 2 GiB are positive and usable", () => {
    const memory = new KernelMemory({ shared: true })
    const low = memory.allocate(2 ** 31, "a large key")
    const high = memory.allocate(2 ** 20, "data")
    expect(high).toBeGreaterThanOrEqual(2 ** 31)
    const view = memory.words(high | 0, 2)
    view.set([5, 6])
    expect([...memory.words(high, 2)]).toEqual([5, 6])
    memory.release(low)
    memory.release(high)
  })
})
