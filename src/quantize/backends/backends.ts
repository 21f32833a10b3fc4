/**
 * Which backend runs models. A device that is missing, does not start, gets known answers or any integer wrong, or throws in
 * the middle of a batch is passed over, and the batch begins again on the next: in the end in plain loops, which need
 * nothing. So no choice of a backend can make a run fail, nor change an integer.
 *
 * `auto` starts no device for little work. For more it starts all that there are, runs the same batch on each and in the
 * loops, once, and stays with the fastest that agrees.
 */
import { checkArgument, checkOptions } from "../../arguments.js"
import type { TensorId } from "../../ops/program.js"
import {
  type Batch,
  batchSize,
  multiplicationsOf,
  part,
  type Runnable,
  type Sample,
  Session,
} from "./batch.js"
import {
  type BackendName,
  backendNames,
  type Device,
  DeviceFailure,
  deviceNames,
  MissingDevice,
} from "./device.js"
import { selfTest } from "./selftest.js"
import { type LoadPackage, startDevice } from "./tfjs.js"

export type BackendChoice = "auto" | BackendName

/** A backend that is not used, and why. */
export interface PassedOver {
  readonly backend: BackendName
  readonly reason: string
  /** Whether it is not installed, or the platform has none. */
  readonly missing: boolean
}

/** What `auto` measured: milliseconds that each backend took for the same batch. */
export type Measured = Readonly<Partial<Record<BackendName, number>>>

export interface BackendOptions {
  /** Gives the module of an optional package by its name; default: `import(name)`, which a bundler does not resolve. */
  readonly load?: LoadPackage
  readonly onPassedOver?: (passedOver: PassedOver) => void
}

interface RunOptions {
  /** The tensors that are wanted. */
  readonly kept: ReadonlySet<TensorId>
  readonly signal?: AbortSignal | undefined
}

/** A program that is ready to run. */
export interface Prepared {
  /** Samples of a batch, at most. */
  readonly batchSize: number
  run(samples: readonly Sample[]): Promise<Batch>
  dispose(): void
}

/** Starts a device. */
export type StartDevice = (name: (typeof deviceNames)[number]) => Promise<Device>

/** Multiplications below which starting a device costs more than it saves. */
const worthwhile = 2e8
/** Multiplications of the batch that `auto` measures, and its most samples. */
const measuredWork = 5e7
const mostMeasured = 32
const timedRuns = 4
/** How far reals of a device may be from the loops', root mean square, relative to the tensor's. */
const tolerance = 1e-4

interface Started {
  readonly device: Device
  readonly operandBits: number
}

const isWhole = ({ tensors }: Runnable): boolean => tensors.every(({ lo }) => lo !== undefined)

/** Whether a program decides: where float32 all but has a tie, doubles may have none, and all that follows is another. */
const decides = ({ nodes }: Runnable): boolean => nodes.some(({ kind }) => deciding.has(kind))
const deciding = new Set(["step", "compare", "argmax", "rows", "top"])

/** Whether a device is to run a program. */
const isOfUse = ({ operandBits }: Started, program: Runnable): boolean =>
  isWhole(program) || (operandBits === 24 && !decides(program))

/** Backends that are open: what was chosen, what was passed over, and the way to run on them. */
export class Backends implements AsyncDisposable {
  readonly #wanted: BackendChoice
  readonly #start: StartDevice
  readonly #onPassedOver: ((passedOver: PassedOver) => void) | undefined
  readonly #passedOver: PassedOver[] = []
  #ready: { readonly started: Started | undefined } | undefined
  #choosing: Promise<void> | undefined
  #measured: Measured | undefined

  /** As `openBackends` makes it; `start` may be another for tests. */
  constructor(wanted: BackendChoice, start: StartDevice, onPassedOver?: (passedOver: PassedOver) => void) {
    this.#wanted = wanted
    this.#start = start
    this.#onPassedOver = onPassedOver
    if (wanted === "loops") this.#ready = { started: undefined }
  }

  /** What runs now, or `undefined` where nothing has been chosen yet. */
  get chosen(): BackendName | undefined {
    return this.#ready && (this.#ready.started?.device.name ?? "loops")
  }

  /** What device that is, in words; undefined for loops. */
  get description(): string | undefined {
    return this.#ready?.started?.device.description
  }

  get passedOver(): readonly PassedOver[] {
    return [...this.#passedOver]
  }

  /** What `auto` measured; undefined where it has not. */
  get measured(): Measured | undefined {
    return this.#measured
  }

  /**
   * A program or an integer model made ready to run, of which `kept` tensors are wanted, over about so many samples in all. Integers are
   * the same on all backends; reals of a device are float32's. To be disposed of.
   */
  prepare(program: Runnable, kept: ReadonlySet<TensorId>, expected: number): Prepared {
    let session: Session | undefined
    const dispose = () => {
      session?.dispose()
      session = undefined
    }
    let by: Started | undefined
    return {
      batchSize: Math.max(1, Math.min(batchSize(program, kept), expected)),
      run: async (samples) => {
        // what runs beside it waits for the same choice
        this.#choosing ??= this.#choose(program, samples, expected).finally(() => {
          this.#choosing = undefined
        })
        await this.#choosing
        while (true) {
          const started = this.#ready?.started
          const device = started && isOfUse(started, program) ? started : undefined
          // what else runs on these backends may have found the device wrong
          if (device !== by) dispose()
          by = device
          try {
            session ??= new Session(program, kept, device?.device, device?.operandBits)
            return await session.run(samples)
          } catch (error) {
            dispose()
            if (!(error instanceof DeviceFailure) || !device) throw error
            await this.#failed(device, error)
          }
        }
      },
      dispose,
    }
  }

  /** Runs over samples, batch by batch in order, and shows each batch with the number of the first of its samples. */
  async run(
    program: Runnable,
    samples: readonly Sample[],
    { kept, signal }: RunOptions,
    visit: (batch: Batch, first: number) => void,
  ): Promise<void> {
    const prepared = this.prepare(program, kept, samples.length)
    try {
      for (let first = 0; first < samples.length; first += prepared.batchSize) {
        signal?.throwIfAborted()
        visit(await prepared.run(samples.slice(first, first + prepared.batchSize)), first)
      }
    } finally {
      prepared.dispose()
    }
  }

  /** Ends what was started. */
  async close(): Promise<void> {
    const started = this.#ready?.started
    this.#ready = { started: undefined }
    if (started) await closed(started.device)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #pass(backend: BackendName, error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    const passedOver = { backend, reason, missing: error instanceof MissingDevice }
    this.#passedOver.push(passedOver)
    this.#onPassedOver?.(passedOver)
  }

  /** Goes on in the loops: what fails once is not asked again. */
  async #failed({ device }: Started, error: DeviceFailure): Promise<void> {
    if (this.#ready?.started?.device !== device) return
    this.#ready = { started: undefined }
    this.#pass(device.name, error)
    await closed(device)
  }

  async #started(name: (typeof deviceNames)[number]): Promise<Started | undefined> {
    let device: Device | undefined
    try {
      device = await this.#start(name)
      if (device.inSoftware && this.#wanted === "auto")
        throw new MissingDevice(`its adapter, ${device.description}, is software`)
      return { device, operandBits: await selfTest(device) }
    } catch (error) {
      this.#pass(name, error)
      if (device) await closed(device)
      return undefined
    }
  }

  /** Chooses what runs from here on; `auto` leaves the choice open where there is little to do. */
  async #choose(program: Runnable, samples: readonly Sample[], expected: number): Promise<void> {
    if (this.#ready) return
    if (this.#wanted !== "auto") {
      const name = this.#wanted
      this.#ready = { started: name === "loops" ? undefined : await this.#started(name) }
      return
    }
    // reals that no device runs say nothing of devices: the next run may
    if (!isWhole(program) && decides(program)) return
    const work = multiplicationsOf(program)
    if (work * expected < worthwhile) return
    const count = Math.max(1, Math.min(mostMeasured, samples.length, Math.floor(measuredWork / work)))
    const given = samples.slice(0, count)
    const all = new Set(program.nodes.map(({ out }) => out))
    const reference = await timed(new Session(program, all), given)
    const measured: Partial<Record<BackendName, number>> = { loops: reference.ms }
    let best: { started: Started | undefined; ms: number } = { started: undefined, ms: reference.ms }
    for (const name of deviceNames) {
      const started = await this.#started(name)
      if (!started) continue
      const ms = await this.#tried(started, program, given, { reference: reference.batch, otherMs: best.ms })
      if (ms !== undefined) measured[name] = ms
      const loser = ms !== undefined && ms < best.ms ? best.started : started
      if (ms !== undefined && ms < best.ms) best = { started, ms }
      if (loser) await closed(loser.device)
    }
    this.#measured = measured
    this.#ready = { started: best.started }
  }

  /** Milliseconds of a batch on a device; undefined if it fails or disagrees. */
  async #tried(
    { device, operandBits }: Started,
    program: Runnable,
    samples: readonly Sample[],
    { reference, otherMs }: { readonly reference: Batch; readonly otherMs: number },
  ): Promise<number | undefined> {
    let session: Session | undefined
    try {
      session = new Session(program, new Set(reference.values.keys()), device, operandBits)
      if (!isOfUse({ device, operandBits }, program))
        throw new DeviceFailure("its factors are too short for reals")
      const { batch, ms } = await timed(session, samples, otherMs)
      agree(program, batch, reference)
      return ms
    } catch (error) {
      if (!(error instanceof DeviceFailure)) throw error
      this.#pass(device.name, error)
      return undefined
    } finally {
      session?.dispose()
    }
  }
}

/**
 * The least time of some runs: the first ones compile what a device runs, and the code around it. What takes twice the time of
 * another after that is not run again.
 */
async function timed(
  session: Session,
  samples: readonly Sample[],
  otherMs = Number.POSITIVE_INFINITY,
): Promise<{ batch: Batch; ms: number }> {
  let ms = Number.POSITIVE_INFINITY
  let batch: Batch | undefined
  for (let run = 0; run < timedRuns && (run < 2 || ms < 2 * otherMs); run++) {
    const start = performance.now()
    batch = await session.run(samples)
    ms = Math.min(ms, performance.now() - start)
  }
  return { batch: batch as Batch, ms }
}

/** @throws DeviceFailure unless integers are the same, and reals nearly */
function agree(program: Runnable, got: Batch, reference: Batch): void {
  for (const [id, expected] of reference.values) {
    const values = got.values.get(id) as Float64Array
    const { name, lo } = program.tensors[id]
    let [error, signal, same] = [0, 0, true]
    for (let i = 0; i < expected.length; i++) {
      if (Object.is(values[i], expected[i]) || values[i] === expected[i]) continue
      same = false
      error += (values[i] - expected[i]) ** 2
    }
    for (const x of expected) signal += x * x
    if (same || (lo === undefined && Math.sqrt(error) <= tolerance * Math.sqrt(signal))) continue
    throw new DeviceFailure(`it disagrees with the loops on tensor \`${name}\``)
  }
}

/** What fails to end has ended. */
const closed = (device: Device): Promise<void> => device.close().catch(() => undefined)

/**
 * Opens backends: `auto` takes the fastest that agrees with plain loops, once there is enough to do that it pays; a name, that one. What
 * cannot be used is passed over, and told: `passedOver`. To be closed.
 * @throws UsageError for a name that is none
 */
export function openBackends(wanted: BackendChoice = "auto", options: BackendOptions = {}): Backends {
  checkOptions(options)
  const known = wanted === "auto" || backendNames.includes(wanted)
  checkArgument(known, "backend", `auto, ${backendNames.join(", ")}`, wanted)
  const { load, onPassedOver } = options
  for (const [name, given] of Object.entries({ load, onPassedOver }))
    checkArgument(given === undefined || typeof given === "function", `options.${name}`, "a function", given)
  return new Backends(wanted, (name) => startDevice(name, load), onPassedOver)
}

/** Works with backends that are given, or that it opens and closes. @throws UsageError for a name that is none */
export async function withBackends<T>(
  given: BackendChoice | Backends | undefined,
  work: (backends: Backends) => Promise<T>,
): Promise<T> {
  if (given instanceof Backends) return await work(given)
  await using backends = openBackends(given)
  return await work(backends)
}

export { part }
