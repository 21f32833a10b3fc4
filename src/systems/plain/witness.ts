/** The witness of a plain circuit: an execution of the model, its outputs and the context. */
import { checkArgument, checkThing } from "../../arguments.js"
import { describeRow, firstFailingRow } from "../../circuit/witness/check.js"
import { assignNodes, type TensorValues, tensorsOf, type Witness } from "../../circuit/witness/witness.js"
import { CountersignError } from "../../errors.js"
import { mod, r } from "../../field.js"
import type { IntGraph } from "../../quantize/integers/intgraph.js"
import { contextSignal } from "../../statement/statement.js"
import { type PlainCircuit, type PlainLinked, plainSystems } from "./circuit.js"

/** Assigns every wire of a plain circuit. `contextSignal` is the context as a field element. */
export function assignPlain(
  graph: IntGraph,
  linked: PlainLinked,
  values: TensorValues,
  contextSignal: bigint,
): Witness {
  const small = new Float64Array(linked.r1cs.wires)
  assignNodes(graph, linked, values, small)
  const tensor = tensorsOf(graph, values)
  for (const [i, output] of graph.outputs.entries()) small.set(tensor(output.tensor), linked.outputs[i])
  const large = new Map([
    [linked.context, mod(contextSignal)],
    [linked.contextSquare, (contextSignal * contextSignal) % r],
  ])
  return { small, large }
}

/**
 * The witness of a plain circuit for given integers of every tensor, checked row by row.
 * @throws CountersignError naming gadget and tensor if a row fails
 */
export function witnessOf(circuit: PlainCircuit, values: TensorValues, context: string): Witness {
  checkThing("circuit", circuit, "circuit")
  const plain = plainSystems.includes(circuit.proofSystem)
  checkArgument(plain, "circuit", `a plain circuit (proof system ${plainSystems.join(", ")})`, circuit)
  checkArgument(values instanceof Map, "values", "a Map of tensors (`runInteger`)", values)
  const { graph, linked } = circuit
  const witness = assignPlain(graph, linked, values, contextSignal(context))
  const row = firstFailingRow(linked.r1cs, witness)
  if (row >= 0) {
    throw new CountersignError({
      what: `constraint ${row} does not hold: ${describeRow(graph, linked, row)}`,
      fix: "The integers given are not an execution of this model",
    })
  }
  return witness
}
