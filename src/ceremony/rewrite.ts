/**
 * A key file written anew with its δs multiplied: points of sections over a δ are divided by its factor, a few
 * sections are replaced, and all else is copied. It works in blocks, so memory does not grow with the file, and what
 * comes out is determined by what goes in: whoever was interrupted can go on at any byte.
 *
 * Points come from a stranger. A coordinate that is not reduced, or a point that is not on the curve, is an error
 * that names section and number; infinity stays infinity (a wire that no row has).
 */
import { FileError, type OnProgress } from "../errors.js"
import { inverse } from "../field.js"
import { type KernelEngine, openEngine } from "../prover/kernels/engine.js"
import type { Contents, Factors } from "../setup/ceremony/protocol.js"
import type { CeremonyKey } from "./key.js"

/** Where the bytes of a new file go, in order; each array is the sink's. */
export interface Sink {
  write(bytes: Uint8Array): Promise<void>
}

export interface RewriteOptions {
  readonly sink: Sink
  /** Bytes that the sink has already, of the same contribution. Default: 0. */
  readonly done?: number | undefined
  /** Default: as many as may work at the same time. */
  readonly threads?: number | undefined
  /** Bytes of points at a time, whole points. Default: 4 MiB. */
  readonly blockBytes?: number | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

const pointBytes = 64
const defaultBlock = 2 ** 22

/** A stretch of the new file: bytes that are there, or so many of the old one, points to be multiplied or copied. */
type Piece =
  | { readonly bytes: Uint8Array }
  | { readonly from: number; readonly length: number; readonly section: number; readonly factor?: bigint }

/** The new file in pieces. @throws FileError for a section that has no whole number of points */
function piecesOf(key: CeremonyKey, factors: Factors, replaced: Contents): Piece[] {
  const { places, protocol } = key
  const factorOf = new Map(
    protocol.deltas.flatMap(({ name, divides }) => {
      const factor = inverse(factors[name])
      return divides.map((id) => [id, factor] as const)
    }),
  )
  const pieces: Piece[] = [{ from: 0, length: 12, section: 0 }]
  for (const [id, { at, length }] of places) {
    const content = replaced.get(id)
    const header = new Uint8Array(12)
    const view = new DataView(header.buffer)
    view.setUint32(0, id, true)
    view.setBigUint64(4, BigInt(content?.length ?? length), true)
    pieces.push({ bytes: header })
    const factor = factorOf.get(id)
    if (content) pieces.push({ bytes: content })
    else if (factor === undefined) pieces.push({ from: at, length, section: id })
    else if (length % pointBytes === 0) pieces.push({ from: at, length, section: id, factor })
    else throw new FileError({ what: `section ${id} has no whole number of points`, where: "proving key" })
  }
  return pieces
}

const sizeOf = (piece: Piece): number => ("bytes" in piece ? piece.bytes.length : piece.length)

/**
 * Writes the new file to a sink. `replaced` are sections of new content, the δs in it already multiplied.
 * @returns its bytes
 * @throws FileError for points that are none; what the sink throws; AbortError; CountersignError when a worker dies
 */
export async function rewriteKey(
  key: CeremonyKey,
  factors: Factors,
  replaced: Contents,
  options: RewriteOptions,
): Promise<number> {
  const { sink, done = 0, threads, blockBytes = defaultBlock, onProgress, signal } = options
  const pieces = piecesOf(key, factors, replaced)
  const total = pieces.reduce((sum, piece) => sum + sizeOf(piece), 0)
  const engine = await openEngine(threads === undefined ? {} : { threads })
  let at = 0
  const put = async (bytes: Uint8Array): Promise<void> => {
    const rest = bytes.subarray(Math.min(bytes.length, Math.max(0, done - at)))
    at += bytes.length
    if (rest.length > 0) await sink.write(rest)
    onProgress?.({ stage: "multiply points", done: at, total })
  }
  try {
    for (const piece of pieces) {
      if ("bytes" in piece) {
        await put(piece.bytes)
        continue
      }
      const { from, length, section, factor } = piece
      for (let offset = 0; offset < length; offset += blockBytes) {
        signal?.throwIfAborted()
        const size = Math.min(blockBytes, length - offset)
        if (at + size <= done) {
          at += size
          continue
        }
        const bytes = await key.source.read(from + offset, size)
        if (factor === undefined) await put(bytes.slice())
        else {
          const nameOf = (point: number) =>
            `point ${offset / pointBytes + point} of section ${section} of the proving key`
          await put(await multiplied(engine, bytes, factor, nameOf, signal))
        }
      }
    }
    return total
  } finally {
    await engine.close()
  }
}

/** Points times a factor. @throws FileError naming one that is none */
async function multiplied(
  engine: KernelEngine,
  points: Uint8Array,
  factor: bigint,
  nameOf: (point: number) => string,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const count = points.length / pointBytes
  const isInfinity = (point: number): boolean => {
    for (let at = point * pointBytes; at < (point + 1) * pointBytes; at++) if (points[at] !== 0) return false
    return true
  }
  const finite = Array.from({ length: count }, (_, point) => point).filter((point) => !isInfinity(point))
  if (finite.length === 0) return new Uint8Array(points.length)
  const given = new Uint8Array(finite.length * pointBytes)
  finite.forEach((point, i) => {
    given.set(points.subarray(point * pointBytes, (point + 1) * pointBytes), i * pointBytes)
  })
  const wrong = await engine.firstOffCurve("g1", given, { signal })
  if (wrong >= 0)
    throw new FileError({
      what: "is not on the curve, or has a coordinate that is not reduced",
      where: nameOf(finite[wrong]),
      fix: "Take the key from whoever gave it to you, or tell them: this one is damaged or forged",
    })
  const scaled = await engine.scale("g1", given, factor, { signal })
  const all = new Uint8Array(points.length)
  finite.forEach((point, i) => {
    all.set(scaled.subarray(i * pointBytes, (i + 1) * pointBytes), point * pointBytes)
  })
  return all
}
