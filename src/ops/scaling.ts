/** Diagonal maps; scaling rows and columns of maps, where weights are not shared by rows or columns of other factors. */
import { type LinearMap, sizeOf } from "./program.js"

/** The map y[i] = factor[i]·x[i]. */
export function diagonalMap(factor: Float64Array): Extract<LinearMap, { kind: "sparse" }> {
  const rowPtr = Uint32Array.from({ length: factor.length + 1 }, (_, i) => i)
  return { kind: "sparse", rowPtr, columns: rowPtr.slice(0, factor.length), values: factor }
}

/** The factors of a diagonal map, if it is one. */
export function diagonalOf(map: LinearMap): Float64Array | undefined {
  if (map.kind !== "sparse" || map.columns.length !== map.rowPtr.length - 1) return undefined
  for (let i = 0; i < map.columns.length; i++)
    if (map.rowPtr[i + 1] !== i + 1 || map.columns[i] !== i) return undefined
  return map.values
}

/** One factor per channel, if elements [N, channels, inner] of a channel all have the same. */
function byChannel(factor: Float64Array, channels: number, inner: number): Float64Array | undefined {
  const first = Float64Array.from({ length: channels }, (_, c) => factor[c * inner])
  for (let i = 0; i < factor.length; i++)
    if (factor[i] !== first[Math.floor(i / inner) % channels]) return undefined
  return first
}

/** The map whose row i is multiplied by factor[i]; undefined where rows with other factors share weights. */
export function scaleRows(map: LinearMap, factor: Float64Array): LinearMap | undefined {
  if (map.kind === "sparse") {
    const values = Float64Array.from(map.values)
    for (let i = 0; i < factor.length; i++)
      for (let j = map.rowPtr[i]; j < map.rowPtr[i + 1]; j++) values[j] *= factor[i]
    return { ...map, values }
  }
  const channels = map.kind === "dense" ? map.m : map.outChannels
  const scales = byChannel(factor, channels, map.kind === "dense" ? 1 : sizeOf(map.outSize))
  if (!scales) return undefined
  const size = map.weight.length / channels
  return { ...map, weight: map.weight.map((w, i) => w * scales[Math.floor(i / size)]) }
}

/** The map whose column j is multiplied by factor[j]; undefined where columns with other factors share weights. */
export function scaleColumns(map: LinearMap, factor: Float64Array): LinearMap | undefined {
  if (map.kind === "sparse") {
    return { ...map, values: map.values.map((value, j) => value * factor[map.columns[j]]) }
  }
  if (map.kind === "dense") {
    const scales = byChannel(factor, map.k, 1)
    return scales && { ...map, weight: map.weight.map((w, i) => w * scales[i % map.k]) }
  }
  const scales = byChannel(factor, map.inChannels, sizeOf(map.inSize))
  if (!scales) return undefined
  const taps = sizeOf(map.kernel)
  const perGroup = map.inChannels / map.groups
  const outPerGroup = map.outChannels / map.groups
  return {
    ...map,
    weight: map.weight.map((w, i) => {
      const out = Math.floor(i / (taps * perGroup))
      return w * scales[Math.floor(out / outPerGroup) * perGroup + (Math.floor(i / taps) % perGroup)]
    }),
  }
}
