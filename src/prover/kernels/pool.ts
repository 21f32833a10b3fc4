/**
 * Threads for the kernels: one module, one memory that all share, programs handed out by counters in it.
 * The thread that opened the pool sleeps meanwhile and stays responsive. Whoever opens a pool closes it.
 *
 * In Node it works itself as long as starting threads would take, unless a number of threads was asked for: the programs
 * of a small circuit are done by then.
 *
 * A worker that dies fails the program under way with a typed error and takes the others with it; what lies
 * in memory stays, and the next program starts new workers. Without SharedArrayBuffer (a page that is not
 * cross-origin isolated) the same programs run item by item on the thread that opened the pool.
 */
import * as Comlink from "comlink"
import { CountersignError, InvariantError, invariant, UsageError } from "../../errors.js"
import { Failure } from "../../failure.js"
import { isNode } from "../../platform.js"
import { KernelMemory } from "./memory.js"
import {
  aborted,
  failed,
  goOn,
  itemsDone,
  type Kernel,
  kernelsOf,
  programBytes,
  type Step,
  stopProgram,
  stopReason,
  workOnce,
  writeProgram,
} from "./program.js"
import { availableThreads, nextTurn, startThread, type Thread, yieldToEvents } from "./threads.js"
import type { KernelWorker } from "./worker.js"

export type { Step } from "./program.js"

export interface PoolOptions {
  /** A module that imports its memory as env.memory, shared, of at most 65536 pages. */
  readonly wasm: Uint8Array
  /** Worker threads, started at once; default: as many as may work at the same time, in Node when there is work. */
  readonly threads?: number
  /** Whether threads share memory; default: where the platform allows it. */
  readonly shared?: boolean
  /** Most bytes of memory; default: what 32-bit addresses reach. */
  readonly maximumBytes?: number
}

export interface RunOptions {
  /** Checked before every item; what an aborted program has written so far stays as it is. */
  readonly signal?: AbortSignal | undefined
  /** Called about ten times a second with the items done so far, and with all of them at the end. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined
}

interface Member {
  readonly thread: Thread
  readonly remote: Comlink.Remote<KernelWorker>
}

/** Workers that live and die together. */
interface Team {
  readonly members: readonly Member[]
  /** That one of them dies. */
  readonly death: Failure
}

const progressMs = 100
/** What starting threads takes, about: so long their work is done without them. */
const patienceMs = 50
/** How long the thread that opened the pool works before it looks at anything else. */
const sliceMs = 10

export class KernelPool {
  readonly memory: KernelMemory
  readonly threads: number
  /** The module's exports on this thread, for small work that needs no other. */
  readonly exports: Readonly<Record<string, Kernel>>
  private readonly module: WebAssembly.Module
  private readonly program: number
  private scratch = 0
  private scratchBytes = 0
  /** Milliseconds that this thread works for others before they are started. */
  private patience = 0
  private team: Promise<Team> | undefined
  private closed = false
  private last: Promise<unknown> = Promise.resolve()

  private constructor(module: WebAssembly.Module, memory: KernelMemory, threads: number) {
    this.module = module
    this.memory = memory
    this.threads = threads
    this.program = memory.allocate(programBytes, "a program")
    const instance = new WebAssembly.Instance(module, { env: { memory: memory.memory } })
    this.exports = instance.exports as Record<string, Kernel>
  }

  /** Value of a constant that the module exports. */
  constant(name: string): number {
    const constant = this.exports[name] as unknown as WebAssembly.Global<"i32"> | undefined
    invariant(constant, `the module has no constant ${name}`)
    return constant.value
  }

  /**
   * Compiles the module and starts the threads.
   * @throws UsageError for a number of threads that is none; CountersignError if a thread cannot start
   */
  static async open(options: PoolOptions): Promise<KernelPool> {
    const { threads = await availableThreads(), maximumBytes } = options
    if (!Number.isInteger(threads) || threads < 1) {
      throw new UsageError({ what: "number of threads", expected: "a positive integer", given: `${threads}` })
    }
    const shared = options.shared ?? typeof SharedArrayBuffer !== "undefined"
    const memory = new KernelMemory({ shared, ...(maximumBytes === undefined ? {} : { maximumBytes }) })
    const bytes = shared ? new Uint8Array(options.wasm) : withPlainMemory(options.wasm)
    const module = await WebAssembly.compile(bytes)
    const pool = new KernelPool(module, memory, shared ? threads : 1)
    try {
      if (shared && options.threads === undefined && isNode) pool.patience = patienceMs
      else if (shared) await pool.start()
    } catch (error) {
      await pool.close()
      throw error
    }
    return pool
  }

  /**
   * Runs a program; programs of one pool run one after the other.
   * @throws the reason of the abort; CountersignError when a worker dies, memory for scratch is lacking or
   * the pool is closed; InvariantError when a kernel traps
   */
  run(steps: readonly Step[], options: RunOptions = {}): Promise<void> {
    const result = this.last.then(() => this.runNow(steps, options))
    this.last = result.catch(() => undefined)
    return result
  }

  /** Stops the threads; a program under way is rejected. */
  async close(): Promise<void> {
    this.closed = true
    const team = this.team
    this.team = undefined
    if (team === undefined) return
    const { members } = await team.catch(() => ({ members: [] }))
    await this.end(members)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  private async runNow(steps: readonly Step[], { signal, onProgress }: RunOptions): Promise<void> {
    signal?.throwIfAborted()
    if (this.closed) throw closedError()
    this.reserveScratch(Math.max(0, ...steps.map((step) => step.scratchBytes ?? 0)))
    const words = this.words()
    writeProgram(words, steps)
    const total = steps.reduce((sum, step) => sum + step.items, 0)
    const abort = () => stopProgram(this.words(), aborted)
    const timer = onProgress && setInterval(() => onProgress(itemsDone(this.words()), total), progressMs)
    signal?.addEventListener("abort", abort, { once: true })
    try {
      await (this.memory.shared ? this.runShared(steps) : this.runHere(steps))
    } finally {
      signal?.removeEventListener("abort", abort)
      clearInterval(timer)
    }
    if (stopReason(this.words()) === aborted) throw signal?.reason
    invariant(itemsDone(this.words()) === total, "a program ended before all its items were done")
    onProgress?.(total, total)
  }

  private async runShared(steps: readonly Step[]): Promise<void> {
    if (this.patience > 0 && (await this.runMeanwhile(steps))) return
    const { members, death } = await this.start()
    const names = steps.map((step) => step.kernel)
    const runs = members.map(({ remote }, i) =>
      remote.run(this.program, names, this.scratch + i * this.scratchBytes),
    )
    for (const { thread } of members) thread.hold(true)
    // All of them: memory must not be touched by anyone any more when the caller goes on.
    const settled = await death.orFail(Promise.allSettled(runs)).finally(() => {
      for (const { thread } of members) thread.hold(false)
    })
    const failures = settled.flatMap((run) => (run.status === "rejected" ? [run.reason] : []))
    if (failures.length > 0) throw kernelFailed(failures[0])
  }

  /** Works on this thread while there is patience; whether the program has ended. */
  private async runMeanwhile(steps: readonly Step[]): Promise<boolean> {
    const names = steps.map((step) => step.kernel)
    const kernels = kernelsOf(this.exports as WebAssembly.Exports, names)
    while (!this.closed && stopReason(this.words()) === goOn && this.patience > 0) {
      const started = performance.now()
      let spent = 0
      let state: ReturnType<typeof workOnce>
      try {
        do {
          state = workOnce(this.words(), kernels, this.scratch)
          spent = performance.now() - started
        } while (state === "worked" && spent < sliceMs)
      } catch (error) {
        throw kernelFailed(error)
      }
      this.patience -= spent
      invariant(state !== "blocked", "one thread has nobody to wait for")
      await nextTurn()
      if (state === "finished") return true
    }
    if (this.closed) throw closedError()
    return stopReason(this.words()) !== goOn
  }

  private async runHere(steps: readonly Step[]): Promise<void> {
    const names = steps.map((step) => step.kernel)
    const kernels = kernelsOf(this.exports as WebAssembly.Exports, names)
    while (!this.closed && stopReason(this.words()) === goOn) {
      let state: ReturnType<typeof workOnce>
      try {
        state = workOnce(this.words(), kernels, this.scratch)
      } catch (error) {
        throw kernelFailed(error)
      }
      invariant(state !== "blocked", "one thread has nobody to wait for")
      if (state === "finished") return
      await yieldToEvents()
    }
    if (this.closed) throw closedError()
  }

  /** The words of the program; anew each time, because growing a plain memory detaches its views. */
  private words(): Int32Array {
    return this.memory.words(this.program, programBytes / 4)
  }

  private reserveScratch(bytes: number): void {
    if (bytes <= this.scratchBytes) return
    if (this.scratch !== 0) this.memory.release(this.scratch)
    this.scratch = this.scratchBytes = 0
    const each = Math.ceil(bytes / 64) * 64
    this.scratch = this.memory.allocate(each * this.threads, "working memory of the threads")
    this.scratchBytes = each
  }

  /** Ends threads; those at work leave after the item they are at, which is sooner than a browser ends them. */
  private async end(members: readonly Member[]): Promise<void> {
    stopProgram(this.words(), failed)
    await Promise.all(members.map(({ thread }) => thread.terminate()))
  }

  /** The workers, new ones if there are none. */
  private start(): Promise<Team> {
    this.team ??= this.startTeam().catch((error) => {
      this.team = undefined
      throw error
    })
    return this.team
  }

  private async startTeam(): Promise<Team> {
    const death = new Failure()
    const members: Member[] = []
    let over = false
    const onDeath = async (error: CountersignError) => {
      if (over) return
      over = true
      if (!this.closed) this.team = undefined
      // The others may be at work, or wait for items that nobody will do: they go before the memory is reused.
      await this.end(members)
      death.fail(this.closed ? closedError() : error)
    }
    const starting = Array.from({ length: this.threads }, async () => {
      const thread = await startThread(onDeath)
      if (over) return thread.terminate()
      const remote = Comlink.wrap<KernelWorker>(thread.endpoint)
      members.push({ thread, remote })
      await remote.start(this.module, this.memory.memory)
    })
    try {
      await death.orFail(Promise.all(starting))
      for (const { thread } of members) thread.hold(false)
    } catch (error) {
      over = true
      await this.end(members)
      throw error
    }
    return { members, death }
  }
}

const kernelFailed = (error: unknown): InvariantError => new InvariantError(`a kernel failed: ${error}`)
const closedError = (): CountersignError => new CountersignError({ what: "the kernels were closed" })

/**
 * The same module over a memory that is not shared: the one bit of its memory import changed. Atomic
 * instructions are allowed on such a memory, except for waiting, which no kernel does.
 */
export function withPlainMemory(wasm: Uint8Array): Uint8Array<ArrayBuffer> {
  // a copy also of a Buffer, whose slice() is none
  const bytes = new Uint8Array(wasm)
  let at = 8
  const number = (): number => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
  }
  const importSection = 2
  const memoryKind = 2
  for (;;) {
    invariant(at < bytes.length, "the module imports no memory")
    const id = bytes[at++]
    const end = number() + at
    if (id === importSection) break
    at = end
  }
  const entries = number()
  for (let i = 0; i < entries; i++) {
    for (let name = 0; name < 2; name++) {
      const length = number()
      at += length
    }
    invariant(bytes[at++] === memoryKind, "the module imports more than a memory")
    // limits: bit 0 says that a maximum follows, bit 1 that the memory is shared
    bytes[at] &= ~2
    number()
    number()
    number()
  }
  return bytes
}
