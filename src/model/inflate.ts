/** Inflating what a file says about its own size, and no byte more than that. */
import { Inflate } from "fflate"
import type { Budget } from "../budget.js"

/** Compressed bytes that are given to the inflater at once: 16 MiB come of them at most. */
const portion = 2 ** 14

/** No deflated byte stands for more bytes than this. */
const mostRatio = 1032

/**
 * Raw deflated data of a known size; undefined if it is another size, or no such data.
 * @throws the budget's error, before anything is held, if there is no room for it
 */
export function inflated(
  data: Uint8Array,
  size: number,
  budget: Budget,
  where: string,
): Uint8Array | undefined {
  if (size > mostRatio * (data.length + 1)) return undefined
  budget.elements(size / 8, where)
  budget.work(size + data.length, where)
  const result = new Uint8Array(size)
  let done = 0
  let ended = false
  const inflater = new Inflate((chunk, final) => {
    if (done + chunk.length <= size) result.set(chunk, done)
    done += chunk.length
    ended ||= final
  })
  try {
    for (let at = 0; at < data.length && done <= size; at += portion)
      inflater.push(data.subarray(at, at + portion), at + portion >= data.length)
  } catch {
    return undefined
  }
  return ended && done === size ? result : undefined
}
