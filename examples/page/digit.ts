/**
 * A drawing as the network knows digits. Those of MNIST were cropped, scaled to 20 × 20 with their proportions kept, and
 * put with their centre of mass into the middle of 28 × 28, in antialiased grey values. A drawing here is lines, so it is
 * the lines that are scaled, and the pen stays as wide as pens are in MNIST, however large or small somebody draws.
 */

/** A place in cells of the sheet: [0, 28] from left to right, and from top to bottom. */
export type Point = readonly [x: number, y: number]
export type Stroke = readonly Point[]

export const side = 28
const box = 20
/** Half the width of a pen: with it the mean mass of a digit is that of MNIST's, about 104. */
const penRadius = 1.35
/** Whatever is smaller than this many cells is not blown up: a dot stays one. */
const smallest = 3

/** Grey values in [0, 1], row by row, of what was drawn; all 0 if nothing was. */
export function toDigit(strokes: readonly Stroke[]): Float32Array {
  const points = strokes.flat()
  if (points.length === 0) return new Float32Array(side * side)
  const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)]
  const [left, right, top, bottom] = [min(xs), max(xs), min(ys), max(ys)]
  const scale = (box - 2 * penRadius) / Math.max(right - left, bottom - top, smallest)
  const scaled = strokes.map((stroke) =>
    stroke.map(
      ([x, y]): Point => [
        (x - (left + right) / 2) * scale + side / 2,
        (y - (top + bottom) / 2) * scale + side / 2,
      ],
    ),
  )
  // no further than the margin, so that nothing is cut off
  const margin = (side - box) / 2
  const [moveX, moveY] = centreOf(inked(scaled)).map((at) =>
    Math.min(margin, Math.max(-margin, side / 2 - at)),
  )
  return inked(scaled.map((stroke) => stroke.map(([x, y]): Point => [x + moveX, y + moveY])))
}

const min = (list: readonly number[]) => list.reduce((a, b) => Math.min(a, b))
const max = (list: readonly number[]) => list.reduce((a, b) => Math.max(a, b))

/** How much of each cell the pen covers. */
function inked(strokes: readonly Stroke[]): Float32Array {
  const greys = new Float32Array(side * side)
  for (const stroke of strokes)
    for (let i = 0; i < stroke.length; i++) {
      const [a, b] = [stroke[Math.max(0, i - 1)], stroke[i]]
      const reach = penRadius + 1
      const [x0, x1] = [Math.min(a[0], b[0]) - reach, Math.max(a[0], b[0]) + reach]
      const [y0, y1] = [Math.min(a[1], b[1]) - reach, Math.max(a[1], b[1]) + reach]
      for (let y = Math.max(0, Math.floor(y0)); y < Math.min(side, y1); y++)
        for (let x = Math.max(0, Math.floor(x0)); x < Math.min(side, x1); x++) {
          const covered = Math.min(1, Math.max(0, penRadius + 0.5 - distance([x + 0.5, y + 0.5], a, b)))
          greys[side * y + x] = Math.max(greys[side * y + x], covered)
        }
    }
  return greys
}

/** From a point to a segment. */
function distance([x, y]: Point, [ax, ay]: Point, [bx, by]: Point): number {
  const [dx, dy] = [bx - ax, by - ay]
  const square = dx * dx + dy * dy
  const along = square === 0 ? 0 : Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / square))
  return Math.hypot(x - ax - along * dx, y - ay - along * dy)
}

function centreOf(greys: Float32Array): Point {
  let [x, y, mass] = [0, 0, 0]
  greys.forEach((grey, i) => {
    x += grey * ((i % side) + 0.5)
    y += grey * (Math.floor(i / side) + 0.5)
    mass += grey
  })
  return [x / mass, y / mass]
}

/** The grey values of a digit in base64, a byte each. */
export const fromBytes = (base64: string): Float32Array =>
  Float32Array.from(atob(base64), (character) => character.charCodeAt(0) / 255)
