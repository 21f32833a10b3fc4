/** Numbers, each held once, the least of which is taken first: a heap in an array. */
export class LeastFirst {
  readonly #heap: number[] = []
  readonly #held = new Set<number>()

  add(x: number): void {
    if (this.#held.has(x)) return
    this.#held.add(x)
    const heap = this.#heap
    let at = heap.push(x) - 1
    for (let above = (at - 1) >> 1; at > 0 && heap[above] > x; above = (at - 1) >> 1) {
      heap[at] = heap[above]
      at = above
    }
    heap[at] = x
  }

  take(): number | undefined {
    const heap = this.#heap
    const [least] = heap
    const last = heap.pop()
    if (last === undefined) return undefined
    this.#held.delete(least)
    if (heap.length === 0) return least
    let at = 0
    for (let below = 1; below < heap.length; below = 2 * at + 1) {
      if (below + 1 < heap.length && heap[below + 1] < heap[below]) below++
      if (heap[below] >= last) break
      heap[at] = heap[below]
      at = below
    }
    heap[at] = last
    return least
  }
}
