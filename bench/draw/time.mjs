/**
 * Time of a proof against constraints: the models, a line of one family of networks behind them, and others' proofs of the same
 * models above ours. Others have other circuits; they stand where our circuit of the same model does, so that what is above
 * each other is the same work.
 */
import { axes, below, chart, colour, Plot, picture, scalesOf, width, wordAt } from "./frame.mjs"
import { placeLabels } from "./labels.mjs"
import { fastestOthers } from "./others.mjs"
import { power, shortName, time } from "./words.mjs"

const symbols = ["square", "triangle", "diamond", "star", "wye"]
const fills = [colour.orange, colour.green, colour.purple, colour.gold, colour.muted]

export function timePicture({ models, peers = [], scaling = [] }) {
  const ours = models.map(({ name, constraints, ms }) => ({ label: shortName(name), constraints, ms }))
  const others = models.flatMap((model) =>
    fastestOthers(peers, model).map(({ prover, otherMs }) => ({
      peer: prover,
      model: model.name,
      constraints: model.constraints,
      ms: otherMs,
    })),
  )
  const kinds = [...new Set(others.map(({ peer }) => peer))]
  const line = scaling
    .filter(({ runtime, threads, ms }) => runtime === "node" && threads > 1 && ms !== undefined)
    .sort((a, b) => a.constraints - b.constraints)
  const everything = [...ours, ...others, ...line]
  const [left, right] = [
    Math.min(...everything.map(({ constraints }) => constraints)),
    Math.max(...everything.map(({ constraints }) => constraints)),
  ]
  const [low, high] = [
    Math.min(...everything.map(({ ms }) => ms)),
    Math.max(...everything.map(({ ms }) => ms)),
  ]
  const ticks = [1, 3, 10, 30, 100, 300, 1e3, 3e3, 1e4, 3e4, 1e5, 3e5, 1e6]
  const powers = Array.from({ length: 24 }, (_, n) => n + 1).filter(
    (n) => n % 2 === 0 && 2 ** n >= left * 0.6 && 2 ** n <= right * 1.8,
  )
  const options = {
    height: 430,
    marginLeft: 66,
    marginRight: 20,
    marginTop: 14,
    marginBottom: 44,
    x: {
      type: "log",
      domain: [left * 0.6, right * 1.9],
      axis: null,
      ticks: powers.map((n) => 2 ** n),
      format: (n) => power(Math.log2(n)),
    },
    y: {
      type: "log",
      domain: [low * 0.6, high * 1.5],
      axis: null,
      ticks: ticks.filter((tick) => tick >= low * 0.6 && tick <= high * 1.5),
      format: time,
    },
  }
  const at = scalesOf({ ...options, marks: [Plot.dot(everything, { x: "constraints", y: "ms" })] })
  const place = (list) =>
    list.map((point) => ({ ...point, x: at.x.apply(point.constraints), y: at.y.apply(point.ms) }))
  // the topmost of each kind of others has its name
  const named = kinds.map((peer) => {
    const some = others.filter((point) => point.peer === peer)
    return {
      ...some.reduce((best, point) => (point.constraints > best.constraints ? point : best)),
      label: peer,
    }
  })
  const boxes = place(others).map(({ x, y }) => ({ x0: x - 5, x1: x + 5, y0: y - 5, y1: y + 5 }))
  const area = {
    x0: options.marginLeft + 2,
    x1: width - 12,
    y0: 4,
    y1: options.height - options.marginBottom - 2,
  }
  const labels = placeLabels(
    [
      ...place(ours).map((point) => ({ ...point, fill: colour.blue })),
      ...place(named).map((point) => ({ ...point, fill: fills[kinds.indexOf(point.label)] })),
    ],
    area,
    boxes,
  )
  const made = chart({
    ...options,
    marks: [
      ...axes(options),
      Plot.line(line, { x: "constraints", y: "ms", stroke: colour.pale, strokeWidth: 2 }),
      ...ours.flatMap((model) => {
        const some = others.filter(({ constraints }) => constraints === model.constraints)
        return some.length === 0
          ? []
          : [
              Plot.link([some.reduce((top, point) => (point.ms > top.ms ? point : top))], {
                x: model.constraints,
                y1: model.ms,
                y2: "ms",
                stroke: colour.grid,
                strokeWidth: 1.5,
                strokeDasharray: "2 3",
              }),
            ]
      }),
      Plot.link(
        labels.filter(({ isFar }) => isFar),
        {
          ...{ x1: "constraints", y1: "ms", stroke: colour.muted, strokeWidth: 1 },
          ...{ x2: ({ labelX }) => at.x.invert(labelX), y2: ({ labelY }) => at.y.invert(labelY) },
        },
      ),
      ...kinds.map((peer, i) =>
        Plot.dot(
          others.filter((point) => point.peer === peer),
          { x: "constraints", y: "ms", symbol: symbols[i], fill: fills[i], r: 5 },
        ),
      ),
      Plot.dot(ours, { x: "constraints", y: "ms", fill: colour.blue, r: 5 }),
      ...labels.map(({ labelX, labelY, anchor, label, fill }) =>
        wordAt(label, {
          ...{ ...options, x: labelX, y: labelY, textAnchor: anchor, fill },
          ...{ stroke: colour.surface, strokeWidth: 4 },
        }),
      ),
      below("constraints of our circuit"),
    ],
  })
  const [{ cpu, cores }] = models
  const ratios = others.map(({ peer, model, ms }) => `${peer} on ${model} ${time(ms)}`)
  return picture({
    title: "Time of a proof, by model",
    subtitle: [
      `Blue: ours, key opened, witness included; ${cpu}, ${cores} cores`,
      [
        ...(line.length > 0 ? ["line: networks of one family"] : []),
        ...(others.length > 0 ? ["above: others on the same model"] : []),
      ].join("; "),
    ],
    description: `${ours.map(({ label, ms, constraints }) => `${label}: ${time(ms)} for ${constraints} constraints`).join("; ")}. ${ratios.length > 0 ? `Others: ${ratios.join("; ")}.` : ""}`,
    parts: [{ chart: made }],
  })
}
