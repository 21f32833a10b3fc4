/**
 * A program: steps for the threads of a pool, in shared memory. A step calls one kernel for every item
 * 0 … items − 1; threads take items by an atomic counter, the first step that has any left first. A step
 * may have to wait until earlier ones are complete; meanwhile threads work on others. No data travels by
 * message: items find theirs through the address in `args`.
 */
import { invariant } from "../../errors.js"

export interface Step {
  /** Name of the kernel, an export (item: u32, args: u32, scratch: u32) → void. */
  readonly kernel: string
  /** Handed to the kernel as it is: usually the address of its arguments. */
  readonly args: number
  readonly items: number
  /** Indices of earlier steps that must be complete before this one starts. */
  readonly after?: readonly number[]
  /** Bytes of memory that a thread needs for itself while it works on an item; contents are undefined. */
  readonly scratchBytes?: number
}

/** Steps of which each waits for the one before it, the first for `after`; they begin at index `first` of a program. */
export const chain = (
  steps: readonly Omit<Step, "after">[],
  first: number,
  after: readonly number[],
): Step[] => steps.map((step, i) => ({ ...step, after: i === 0 ? after : [first + i - 1] }))

export type Kernel = (item: number, args: number, scratch: number) => void

/** Why threads stop before all items are done. */
export const goOn = 0
export const aborted = 1
export const failed = 2

export const maximumSteps = 256
export const maximumAfter = 8

/*
 * Layout in 32-bit words. Header: stop reason, number of steps, epoch (changes whenever a step becomes
 * complete: what waiting threads watch). Then one cache line of 16 words for each step: items, next item,
 * items done, args, number of steps waited for, their indices.
 */
const stop = 0
const count = 1
const epoch = 2
const lineWords = 16
const items = 0
const next = 1
const done = 2
const args = 3
const afterCount = 4
const afterFirst = 5
export const programBytes = 4 * lineWords * (1 + maximumSteps)

const line = (step: number): number => lineWords * (1 + step)

/** Writes a program; `words` are the words of its place in memory. */
export function writeProgram(words: Int32Array, steps: readonly Step[]): void {
  invariant(steps.length <= maximumSteps, `a program has at most ${maximumSteps} steps, not ${steps.length}`)
  words.fill(0, 0, line(steps.length))
  words[count] = steps.length
  steps.forEach((step, i) => {
    const after = step.after ?? []
    invariant(after.length <= maximumAfter, `step ${i} waits for more than ${maximumAfter} others`)
    invariant(
      after.every((j) => Number.isInteger(j) && j >= 0 && j < i),
      `step ${i} waits for one that does not come before it`,
    )
    invariant(Number.isInteger(step.items) && step.items >= 0 && step.items < 2 ** 30, `step ${i}: items`)
    const at = line(i)
    words[at + items] = step.items
    words[at + args] = step.args
    words[at + afterCount] = after.length
    words.set(after, at + afterFirst)
  })
}

/** Makes all threads stop after the item they are at. */
export function stopProgram(words: Int32Array, reason: number): void {
  Atomics.compareExchange(words, stop, goOn, reason)
  Atomics.add(words, epoch, 1)
  Atomics.notify(words, epoch)
}

export const stopReason = (words: Int32Array): number => Atomics.load(words, stop)

/** Items done of all steps. */
export function itemsDone(words: Int32Array): number {
  let sum = 0
  for (let i = 0; i < words[count]; i++) sum += Atomics.load(words, line(i) + done)
  return sum
}

const isComplete = (words: Int32Array, step: number): boolean =>
  Atomics.load(words, line(step) + done) === words[line(step) + items]

function isReady(words: Int32Array, step: number): boolean {
  const at = line(step)
  for (let j = 0; j < words[at + afterCount]; j++) {
    if (!isComplete(words, words[at + afterFirst + j])) return false
  }
  return true
}

/**
 * Works on one item of the first step that has one.
 * @returns "worked"; "blocked" if all that is left waits for other threads; "finished" if nothing is left
 */
export function workOnce(
  words: Int32Array,
  kernels: readonly Kernel[],
  scratch: number,
): "worked" | "blocked" | "finished" {
  let blocked = false
  for (let step = 0; step < words[count]; step++) {
    const at = line(step)
    if (Atomics.load(words, at + next) >= words[at + items]) continue
    if (!isReady(words, step)) {
      blocked = true
      continue
    }
    const item = Atomics.add(words, at + next, 1)
    if (item >= words[at + items]) continue
    kernels[step](item, words[at + args], scratch)
    if (Atomics.add(words, at + done, 1) + 1 === words[at + items]) {
      Atomics.add(words, epoch, 1)
      Atomics.notify(words, epoch)
    }
    return "worked"
  }
  return blocked ? "blocked" : "finished"
}

/** The kernels of a program's steps, by name, out of a module's exports. */
export const kernelsOf = (exports: WebAssembly.Exports, names: readonly string[]): Kernel[] =>
  names.map((name) => {
    const kernel = exports[name]
    invariant(typeof kernel === "function", `the module has no kernel ${name}`)
    return kernel as Kernel
  })

/** How often a thread looks again before it goes to sleep: about as long as falling asleep takes. */
const spins = 2000

/** Works until nothing is left for this thread or the program was stopped; for worker threads, it blocks. */
export function work(words: Int32Array, kernels: readonly Kernel[], scratch: number): void {
  while (stopReason(words) === goOn) {
    const before = Atomics.load(words, epoch)
    const state = workOnce(words, kernels, scratch)
    if (state === "finished") return
    if (state === "worked") continue
    let spin = 0
    while (spin < spins && Atomics.load(words, epoch) === before) spin++
    if (spin === spins) Atomics.wait(words, epoch, before)
  }
}
