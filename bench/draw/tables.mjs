/** The tables of README.md and docs/BENCHMARKS.md, from results alone; of what was not measured they say how to. */
import { table, whereOf } from "./markdown.mjs"
import { fastestOthers } from "./others.mjs"
import { count, power, ratio, size, time } from "./words.mjs"

const percent = (share) => `${(100 * share).toFixed(1)} %`
const optional = (format) => (value) => (value === undefined ? undefined : format(value))
const [aTime, aSize, aCount, aRatio] = [time, size, count, ratio].map(optional)

/** What is lost by integers: accuracy before and after, or, without labels, how often both say the same. */
const loss = ({ accuracyFloat, accuracyInteger, agreement }) =>
  accuracyFloat !== undefined && accuracyInteger !== undefined
    ? `${percent(accuracyFloat)} → ${percent(accuracyInteger)}`
    : `same in ${percent(agreement)}`

const byConstraints = (models) => models.toSorted((a, b) => a.constraints - b.constraints)

/** README.md: what each model takes, and how many times longer others do. */
export function readmeTable({ models, peers = [] }) {
  const others = (row) =>
    fastestOthers(peers, row)
      .map((other) => `${other.prover} ${ratio(other.ratio)}`)
      .join(", ")
  const columns = [
    ["model", ({ name }) => name],
    ["constraints", ({ constraints }) => count(constraints)],
    ["key", ({ keyBytes }) => size(keyBytes)],
    ["proof", ({ ms }) => time(ms)],
    ["memory", ({ peakBytes }) => size(peakBytes)],
    ["accuracy, float → integer", loss],
    ["others take", others],
  ]
  const random = models.filter(({ weights }) => weights === "random").map(({ name }) => name)
  return [
    table(columns, byConstraints(models)),
    "",
    `Medians of proofs with the key opened, witness included; memory of the process that proves. ${whereOf(models)}`,
    ...(random.length > 0 ? [`Weights are random in ${random.join(", ")}.`] : []),
  ].join("\n")
}

function modelTables({ models }) {
  const rows = byConstraints(models)
  const name = ["", (row) => row.name]
  const times = [
    ["compile", ({ compileMs }) => time(compileMs)],
    ["setup", ({ setupMs }) => time(setupMs)],
    ["open", ({ openMs }) => time(openMs)],
    ["witness", ({ witnessMs }) => time(witnessMs)],
    ["proof", ({ ms }) => time(ms)],
    ["least", ({ leastMs }) => aTime(leastMs)],
    ["verify", ({ verifyMs }) => time(verifyMs)],
  ]
  const sizes = [
    ["parameters", ({ parameters }) => aCount(parameters)],
    ["weights", ({ weights }) => weights],
    ["constraints", ({ constraints }) => count(constraints)],
    ["lookups", ({ lookups }) => aCount(lookups)],
    ["domain", ({ domain }) => aCount(domain)],
    ["key", ({ keyBytes }) => size(keyBytes)],
    ["proof", ({ proofBytes }) => (proofBytes === undefined ? undefined : `${proofBytes} B`)],
    ["gas", ({ gas }) => aCount(gas)],
  ]
  const memory = [
    ["compile", ({ compilePeakBytes }) => aSize(compilePeakBytes)],
    ["setup", ({ setupPeakBytes }) => aSize(setupPeakBytes)],
    ["open", ({ openPeakBytes }) => aSize(openPeakBytes)],
    ["prove", ({ peakBytes }) => size(peakBytes)],
    ["verify", ({ verifyPeakBytes }) => aSize(verifyPeakBytes)],
  ]
  return [
    table([name, ...sizes], rows),
    table([["time", (row) => row.name], ...times], rows),
    table([["memory at most", (row) => row.name], ...memory], rows),
    whereOf(rows),
  ].join("\n\n")
}

function peerTable({ peers }) {
  const columns = [
    ["", ({ name }) => name],
    ["against", ({ against }) => against],
    ["version", ({ peerVersion }) => peerVersion],
    ["ours", ({ ms }) => time(ms)],
    ["theirs", ({ otherMs }) => aTime(otherMs)],
    ["ratio", ({ ratio: times }) => aRatio(times)],
    ["least", ({ leastMs, otherLeastMs }) => (otherLeastMs ? ratio(otherLeastMs / leastMs) : undefined)],
    ["constraints", ({ otherConstraints }) => aCount(otherConstraints)],
    ["their setup", ({ otherSetupMs }) => aTime(otherSetupMs)],
    ["their key", ({ otherProvingKeyBytes }) => aSize(otherProvingKeyBytes)],
    ["their memory", ({ otherPeakBytes }) => aSize(otherPeakBytes)],
  ]
  return [table(columns, peers), whereOf(peers)].join("\n\n")
}

/** A row for each size: time and memory of every runtime. */
function scalingTable({ scaling }) {
  const runs = [...new Map(scaling.map((row) => [`${row.runtime} ${row.threads}`, row])).values()]
  const powers = [...new Set(scaling.map((row) => row.power))].sort((a, b) => a - b)
  const cell = (format, field, { runtime, threads }) => [
    `${runtime === "node" ? "Node" : "Chromium"}, ${threads}`,
    (rows) => {
      const row = rows.find((one) => one.runtime === runtime && one.threads === threads)
      return row && (row[field] === undefined ? "none" : format(row[field]))
    },
  ]
  const given = powers.map((n) => scaling.filter((row) => row.power === n))
  const name = ["", ([{ constraints, power: n }]) => `${power(n)}: ${count(constraints)}`]
  const notes = scaling.flatMap((row) => (row.note === undefined ? [] : [`${row.name}: ${row.note}.`]))
  return [
    table(
      [
        ["time; threads", name[1]],
        ...runs.map((one) => cell(time, "ms", one)),
        ["key", ([{ keyBytes }]) => size(keyBytes)],
        ["setup", ([{ setupMs }]) => time(setupMs)],
      ],
      given,
    ),
    table([["memory at most", name[1]], ...runs.map((one) => cell(size, "peakBytes", one))], given),
    ...(notes.length > 0 ? [notes.join(" ")] : []),
    whereOf(scaling),
  ].join("\n\n")
}

/** A row for each primitive and form, at its largest size. */
function operatorTable({ operators }) {
  const largest = new Map()
  for (const row of operators) {
    const key = `${row.of} ${row.what}`
    if (!(largest.get(key)?.size > row.size)) largest.set(key, row)
  }
  const rows = [...largest.values()].sort((a, b) => (a.of + a.what < b.of + b.what ? -1 : 1))
  const each = (field) => (row) => String(Number((row[field] / row.size).toPrecision(3)))
  const columns = (of) => [
    [of, ({ what }) => what],
    ["of", ({ size: elements, unit }) => `${count(elements)} ${unit}`],
    ["constraints each", each("constraints")],
    ["lookups each", each("lookups")],
    ["non-zeros, whole circuit", ({ nonzeros }) => count(nonzeros)],
    ["witness", ({ witnessMs }) => time(witnessMs)],
    ["proof", ({ ms }) => time(ms)],
    ["", ({ proofSystem }) => (proofSystem === "mirage" ? undefined : proofSystem)],
  ]
  const of = (kind) =>
    table(
      columns(kind),
      rows.filter((row) => row.of === kind),
    )
  return [of("primitive"), of("form"), whereOf(rows)].join("\n\n")
}

/** A row for each row: ours, theirs, and the ratio. */
const sideBySide = (section) => (rows) => {
  const columns = [
    ["", ({ name }) => name],
    ["against", ({ against }) => against],
    ["ours", ({ ms }) => time(ms)],
    ["theirs", ({ otherMs }) => aTime(otherMs)],
    ["ratio", ({ ratio: times }) => aRatio(times)],
  ]
  return [table(columns, rows[section]), whereOf(rows[section])].join("\n\n")
}

/** Of docs/BENCHMARKS.md the tables by name, which is that of the section. */
const makers = {
  models: modelTables,
  scaling: scalingTable,
  operators: operatorTable,
  peers: peerTable,
  kernels: sideBySide("kernels"),
  lenet: sideBySide("lenet"),
}

export const benchmarkTables = (rows) =>
  Object.fromEntries(
    Object.entries(makers).map(([name, make]) => [
      name,
      rows[name] === undefined ? `Not measured yet: \`npm run bench -- ${name}\`.` : make(rows),
    ]),
  )
