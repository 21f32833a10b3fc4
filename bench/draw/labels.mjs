/**
 * Places for labels beside points, so that none lies on another or on a point: tried are the sides in the order that is read
 * best, then the same further off. What finds no place goes to the first.
 */
import { fontSize } from "./frame.mjs"

const overlaps = (a, b) => a.x0 < b.x1 && b.x0 < a.x1 && a.y0 < b.y1 && b.y0 < a.y1

/**
 * @param points of each x, y and a label, in units of the chart
 * @param area what labels stay in: { x0, y0, x1, y1 }
 * @param obstacles boxes that labels keep off
 * @returns the points with where their labels begin, `labelX` and `labelY`, their `anchor`, and whether that `isFar`
 */
export function placeLabels(points, area, obstacles = []) {
  const taken = [...obstacles, ...points.map(({ x, y }) => ({ x0: x - 5, x1: x + 5, y0: y - 5, y1: y + 5 }))]
  return points.map((point) => {
    const { x, y, label } = point
    const [w, h] = [label.length * fontSize * 0.56, fontSize]
    const sides = [10, 16, 26, 40, 56].flatMap((off) =>
      [
        { anchor: "start", labelX: x + off, labelY: y },
        { anchor: "end", labelX: x - off, labelY: y },
        { anchor: "start", labelX: x + off * 0.7, labelY: y + off },
        { anchor: "end", labelX: x - off * 0.7, labelY: y - off },
        { anchor: "middle", labelX: x, labelY: y + off + 3 },
        { anchor: "middle", labelX: x, labelY: y - off - 3 },
        { anchor: "start", labelX: x + off * 0.7, labelY: y - off },
        { anchor: "end", labelX: x - off * 0.7, labelY: y + off },
      ].map((side) => ({ ...side, isFar: off > 20 })),
    )
    const boxOf = ({ anchor, labelX, labelY }) => {
      const x0 = anchor === "start" ? labelX : anchor === "end" ? labelX - w : labelX - w / 2
      return { x0, x1: x0 + w, y0: labelY - h / 2, y1: labelY + h / 2 }
    }
    const fits = (side) => {
      const box = boxOf(side)
      const isInside = box.x0 >= area.x0 && box.x1 <= area.x1 && box.y0 >= area.y0 && box.y1 <= area.y1
      return isInside && !taken.some((other) => overlaps(box, other))
    }
    const side = sides.find(fits) ?? sides[0]
    taken.push(boxOf(side))
    return { ...point, ...side }
  })
}
