/** A small seeded generator for test data, so that a failing case is named by one number. */
export class Random {
  constructor(private state: number) {}

  /** Uniform in [0, 1): mulberry32. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** Integer in [lo, hi]. */
  integer(lo: number, hi: number): number {
    return lo + Math.floor(this.next() * (hi - lo + 1))
  }

  /** Uniform below 2^(32·words). */
  bits(words: number): bigint {
    const drawn = Array.from({ length: words }, () => this.integer(0, 2 ** 32 - 1))
    return BigInt(`0x${drawn.map((word) => word.toString(16).padStart(8, "0")).join("")}`)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.integer(0, items.length - 1)]
  }

  /** Reals in [−scale, scale]. */
  reals(count: number, scale = 2): number[] {
    return Array.from({ length: count }, () => (2 * this.next() - 1) * scale)
  }

  shape(minRank: number, maxRank: number, maxDim = 4): number[] {
    return Array.from({ length: this.integer(minRank, maxRank) }, () => this.integer(1, maxDim))
  }

  /** A permutation of 0 … n−1. */
  permutation(n: number): number[] {
    const result = Array.from({ length: n }, (_, i) => i)
    for (let i = n - 1; i > 0; i--) {
      const j = this.integer(0, i)
      ;[result[i], result[j]] = [result[j], result[i]]
    }
    return result
  }
}
