/**
 * Section `operators`: what each primitive and each form of a gadget costs against size. Constraints and lookups are those of
 * the nodes of that kind, or of the gadgets of that form; `circuit…`, non-zeros and times are of the whole small circuit, whose
 * other part is its inputs, the tables that it looks up in, and one hash. Circuits of one case take turns, a proof each; medians.
 */

import { gadgetKinds } from "../dist/circuit/gadgets/families.js"
import * as api from "../dist/index.js"
import { nodeKinds } from "../dist/quantize/canonical/nodes.js"
import { systemOf } from "../dist/systems/index.js"
import { median } from "./compare.mjs"
import { costCases } from "./costs/cases.mjs"

const context = `0x${"5a".repeat(32)}`
/** Turns that count, before them some that do not, and how many of the sizes; what snarkjs proves takes a second each. */
const plans = {
  full: { mirage: { rounds: 7, before: 2 }, groth16: { rounds: 3, before: 1 } },
  quick: { mirage: { rounds: 1, before: 1, sizes: 2 }, groth16: { rounds: 1, before: 0, sizes: 1 } },
}

/** What there is: names of kinds of primitives and of forms. */
export const everything = { kinds: nodeKinds, forms: Object.keys(gadgetKinds) }

/** What of it no case is about. */
export const missing = (cases = costCases) =>
  Object.entries(everything).flatMap(([what, names]) =>
    names.filter((name) => !cases.some((one) => one[what].includes(name))).map((name) => `${what}: ${name}`),
  )

/** Rows and lookups of the gadgets of one form. */
function ofForm({ linked }, form) {
  const total = { constraints: 0, lookups: 0, count: 0 }
  for (const { base, plan } of linked.stamped)
    base.forEach((_, i) => {
      const use = plan?.uses[i] ?? 0xffffffff
      if (use === 0xffffffff || linked.stamps[use].gadget.use.kind.template !== form) return
      total.constraints += linked.stamps[use].rows.length + linked.stamps[use].queries.length
      total.lookups += linked.stamps[use].queries.length
      total.count++
    })
  return total
}

/** Rows and lookups of the nodes of one kind. */
function ofKind(circuit, kind) {
  const nodes = api.inspect(circuit).nodes.filter(({ primitive }) => primitive === kind)
  const sum = (field) => nodes.reduce((total, node) => total + node[field], 0)
  return { constraints: sum("constraints"), lookups: sum("lookups") }
}

/** The circuit of a case at a size, without keys. @throws Error if a form is not in it */
export async function circuitOf({ name, forms, system, build }, size) {
  const { graph, input } = build(size)
  const circuit = await api.compile(graph, { proofSystem: system })
  for (const form of forms)
    if (ofForm(circuit, form).count === 0)
      throw new Error(`${name}, ${size}: no gadget is of the form ${form}`)
  return { circuit, input, size }
}

async function timed(work) {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Times of the circuits of a case, in turn. */
async function measure(sides, { rounds, before }) {
  const open = []
  try {
    for (const { circuit, input } of sides) {
      const { provingKey, verificationKey } = await api.setup(circuit, { dev: true })
      const prover = await api.openProver(circuit, provingKey)
      open.push({ circuit, input, prover, verificationKey, proofs: [], witnesses: [] })
    }
    for (let round = 0; round < before + rounds; round++)
      for (const { circuit, input, prover, verificationKey, proofs, witnesses } of open) {
        const witnessMs = await timed(() => {
          const { values } = api.execute(circuit, input)
          systemOf(circuit).witness(circuit, values)
        })
        let receipt
        const ms = await timed(async () => {
          receipt = await prover.prove(input, { context })
        })
        const expected = { verificationKey, model: circuit.model, context, allowDev: true }
        if (!(await api.verifyReceipt(receipt, expected))) throw new Error("a proof does not verify")
        if (round < before) continue
        proofs.push(ms)
        witnesses.push(witnessMs)
      }
    return open.map(({ proofs, witnesses }) => ({ ms: median(proofs), witnessMs: median(witnesses) }))
  } finally {
    for (const { prover } of open) await prover.close()
  }
}

/**
 * A row for each primitive and form, and each size. `quick`: fewer sizes and turns.
 * @throws Error if a primitive or form has no case, a form is not where it should be, or a proof does not verify
 */
export async function operators({ quick = false, only = "" } = {}) {
  const without = missing()
  if (without.length > 0) throw new Error(`no model in bench/costs/cases.mjs is of ${without.join(", ")}`)
  const rows = []
  const isAsked = ({ name, kinds, forms }) =>
    [name, ...kinds.map((kind) => `primitive ${kind}`), ...forms.map((form) => `form ${form}`)].some((text) =>
      text.includes(only),
    )
  for (const one of costCases.filter(isAsked)) {
    const plan = plans[quick ? "quick" : "full"][one.system]
    const sides = []
    for (const size of one.sizes.slice(0, plan.sizes)) sides.push(await circuitOf(one, size))
    const times = await measure(sides, plan)
    for (const [i, { circuit, size }] of sides.entries()) {
      const { ms, witnessMs } = times[i]
      const {
        constraints: circuitConstraints,
        lookups: circuitLookups,
        nonzeros,
      } = api.describeCircuit(circuit)
      const whole = { circuitConstraints, circuitLookups, nonzeros, witnessMs }
      const add = (of, what, { constraints, lookups }) =>
        rows.push({
          ...{ name: `${of} ${what}, ${size}`, against: undefined, ms, otherMs: undefined, ratio: undefined },
          ...{ of, what, size, unit: one.what, proofSystem: one.system, constraints, lookups, ...whole },
        })
      for (const kind of one.kinds) add("primitive", kind, ofKind(circuit, kind))
      for (const form of one.forms) add("form", form, ofForm(circuit, form))
    }
    process.stderr.write(
      `operators: ${one.name}: ${times.map(({ ms }) => `${ms.toFixed(0)} ms`).join(", ")}\n`,
    )
  }
  return rows
}
