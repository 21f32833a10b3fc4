/** Index maps into the concatenation of several values, some of them constants. */
import { sizeOf } from "../program.js"
import { ownerOf } from "../segments.js"
import { isConstant, type Value } from "./values.js"

export const sizesOf = (sources: readonly Value[]): number[] => sources.map(({ shape }) => sizeOf(shape))

/** Past-the-end offset of each source in the concatenation. */
function endsOf(sources: readonly Value[]): number[] {
  let end = 0
  return sizesOf(sources).map((size) => (end += size))
}

/** Which sources a map reads at all. */
export function usedSources(sources: readonly Value[], map: Int32Array): boolean[] {
  if (sources.length === 1) return [map.length > 0]
  const ends = endsOf(sources)
  const used = sources.map(() => false)
  for (const at of map) if (at >= 0) used[ownerOf(ends, at)] = true
  return used
}

/** The constant at a position of the concatenation; undefined for an activation. */
function constantAt(sources: readonly Value[], ends: readonly number[], at: number): number | undefined {
  const s = ownerOf(ends, at)
  const source = sources[s]
  return isConstant(source) ? source.constant[at - ends[s] + source.constant.length] : undefined
}

/** The constants and fills that a map reads; 0 where it reads an activation. */
export function gatherConstants(sources: readonly Value[], map: Int32Array, fill: number): Float64Array {
  const ends = endsOf(sources)
  const [first] = sources
  const only = sources.length === 1 && isConstant(first) ? first.constant : undefined
  const out = new Float64Array(map.length)
  for (let i = 0; i < map.length; i++) {
    const at = map[i]
    if (at < 0) out[i] = fill
    else out[i] = only ? only[at] : (constantAt(sources, ends, at) ?? 0)
  }
  return out
}

/** The one number that every constant and fill read by a map equals; undefined if there are several. */
export function uniformFill(sources: readonly Value[], map: Int32Array, fill: number): number | undefined {
  const ends = endsOf(sources)
  let found: number | undefined
  for (const at of map) {
    const value = at < 0 ? fill : constantAt(sources, ends, at)
    if (value === undefined) continue
    if (found !== undefined && found !== value) return undefined
    found = value
  }
  return found ?? fill
}

/** The same map into the concatenation of the used activations alone, −1 for all constants. */
export function onlyActivations(
  sources: readonly Value[],
  used: readonly boolean[],
  map: Int32Array,
): Int32Array {
  if (sources.length === 1) return map
  const ends = endsOf(sources)
  let dropped = 0
  const shifts = sources.map((source, s) => {
    if (used[s] && !isConstant(source)) return dropped
    dropped += sizeOf(source.shape)
    return -1
  })
  return map.map((at) => {
    const shift = at < 0 ? -1 : shifts[ownerOf(ends, at)]
    return shift < 0 ? -1 : at - shift
  })
}
