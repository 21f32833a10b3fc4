/** Digits as somebody draws them: strokes in cells of a sheet of 28 × 28. */
import type { Point, Stroke } from "../../examples/page/digit.js"

/** Part of an ellipse, between two angles in degrees. */
const arc = (cx: number, cy: number, rx: number, ry: number, from: number, to: number): Point[] =>
  Array.from({ length: 25 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / 24) * Math.PI) / 180
    return [cx + rx * Math.cos(angle), cy + ry * Math.sin(angle)]
  })

export const drawn: readonly (readonly Stroke[])[] = [
  [arc(14, 14, 6, 9, 0, 360)],
  [
    [
      [16, 5],
      [12, 24],
    ],
  ],
  [[...arc(14, 10, 5, 5, -180, 40), [9, 23], [20, 23]]],
  [[...arc(13, 9, 5, 4.5, -150, 90), ...arc(13, 18, 6, 5, -90, 150)]],
  [
    [
      [9, 5],
      [9, 14],
      [19, 14],
    ],
    [
      [19, 5],
      [19, 24],
    ],
  ],
  [
    [[10, 5], [9.5, 13], ...arc(13, 17.5, 6, 5.5, -120, 140)],
    [
      [10, 5],
      [19, 5],
    ],
  ],
  [[[17, 4], [11, 11], ...arc(14, 18, 5, 5, 180, -180)]],
  [
    [
      [6, 6],
      [21, 6],
      [17, 13],
      [12, 23],
    ],
  ],
  [[...arc(14, 9, 4.5, 4.5, 90, 450), ...arc(14, 18.5, 5.5, 5, -90, 270)]],
  [[...arc(13, 10, 5, 5, 0, -360), [18, 10], [17, 24]]],
]
