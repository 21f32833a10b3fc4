/** `countersign audit`: whether a folder's keys belong to its model, and whether the circuit can be cheated. */
import * as api from "../../index.js"
import { readDocument } from "../claims.js"
import { loadCircuit, loadVerificationKey, provingKeyPath, verificationKeyPath } from "../folder.js"
import { command } from "../options.js"
import { elapsed, invalid, onProgress, print } from "../terminal.js"

export const auditCommand = command(
  "audit",
  "rebuild the circuit from the model, compare it with the key, and try to cheat it",
)
  .argument("<folder>")
  .option("--policy <document>", "show that the circuit proves this policy document, and no other")
  .action(async (folder: string, { policy }) => {
    const start = performance.now()
    const key = loadVerificationKey(verificationKeyPath(folder))
    const keyPath = provingKeyPath(folder)
    const document = policy === undefined ? undefined : await readDocument(policy)
    const circuit = await loadCircuit(folder, onProgress)
    const within = document ? api.checkPredicate(circuit.graph, document) : undefined
    const report = await audited(circuit, keyPath, key)
    const valid =
      report.accepted.length === 0 && report.differences.length === 0 && !(within && "problem" in within)
    const { model } = circuit
    print({ valid, model, ...(within ? { within } : {}), ...report, ms: elapsed(start) }, [
      ...reportLines(model, report),
      ...(within ? [predicateLine(within)] : []),
    ])
    if (!valid) invalid()
  })

const predicateLine = (within: ReturnType<typeof api.checkPredicate>): string =>
  "problem" in within
    ? `policy   not proven: ${within.problem}`
    : `policy   proven: the circuit is that of model ${within.model} with this document's bit, and nothing else`

async function audited(circuit: api.Circuit, path: string, key: api.VerificationKey): Promise<api.Audit> {
  await using provingKey = await api.openKeyFile(path)
  return await api.audit(circuit, provingKey, key)
}

function reportLines(model: string, report: api.Audit): string[] {
  const counts = (held: Readonly<Record<string, number>>) =>
    Object.entries(held)
      .map(([name, count]) => `${name} ${count}`)
      .join(", ")
  const { differences, accepted } = report
  const agreement = differences.length === 0 ? "no difference" : "the circuit is not the model's:"
  return [
    `model    ${model}, rebuilt: the proving key's constraints and the verification key are this circuit's`,
    `compared with the model in exact integers on ${report.compared} inputs: ${agreement}`,
    ...differences,
    `points   ${report.points} of the proving key fit the circuit and each other`,
    `gadgets  ${counts(report.gadgets)}`,
    `tried    ${counts(report.tried)}`,
    `forgeries refused ${report.refused}, accepted ${accepted.length}`,
    ...accepted,
  ]
}
