/** What `setup verify` and `setup accept` say of a setup. */
import * as api from "../index.js"
import { columns } from "./terminal.js"

/** The report as one object. */
export function reportFacts(circuit: api.Circuit, report: api.SetupReport): object {
  const { valid, problems, ptau, contributions, transcript, verificationKey, points } = report
  const key = verificationKey && api.keyDigest(verificationKey)
  const { model } = circuit
  const powers = { ...ptau, name: ptau.name ?? null }
  return { valid, problems, model, ptau: powers, contributions, transcript, key, points }
}

/** The same for people. */
export function reportLines(circuit: api.Circuit, report: api.SetupReport): string[] {
  const { valid, problems, ptau, contributions, transcript, verificationKey, points } = report
  const powers = ptau.name ?? `a file of no ceremony that is known here, 2^${ptau.power}`
  const facts = [
    `${circuit.weights === "private" ? "architecture     " : "model            "} ${circuit.model}, of which the circuit was rebuilt`,
    `powers of tau     ${powers}`,
    `  digest          ${ptau.digest}`,
    ...(contributions.length > 0
      ? ["contributions", ...columns(contributions.map(contributionCells), 80)]
      : []),
    ...(transcript === null ? [] : [`transcript        ${transcript}`]),
    ...(verificationKey === null ? [] : [`key digest        ${api.keyDigest(verificationKey)}`]),
  ]
  if (!valid)
    return ["invalid: this setup must not be trusted", ...problems.map((text) => `- ${text}`), "", ...facts]
  return [
    `valid: ${points} points are what the circuit, the powers of tau and the contributions make them`,
    ...facts,
    "",
    "What is left to trust:",
    ...trustLines(circuit, report).map((text) => `- ${text}`),
  ]
}

function contributionCells({ number, name, bound, beacon, transcript }: api.ContributionFacts): string[] {
  const what =
    beacon === null
      ? bound
        ? "proof bound to this name"
        : "proof of snarkjs, not bound to a name"
      : `SHA-256 applied 2^${beacon.iterations} times to ${beacon.value}`
  return [`  ${number}`, name, transcript, what]
}

/** What no file can show. */
function trustLines(circuit: api.Circuit, { contributions, verificationKey }: api.SetupReport): string[] {
  const people = contributions.filter(({ beacon }) => beacon === null)
  const phase2 =
    people.length === 0
      ? []
      : [
          `one of ${people.length === 1 ? "the one contributor" : `the ${people.length} contributors`} drew the secret alone, and ` +
            "destroyed it. Whoever contributed needs to trust nobody else for this: it is enough that the digest " +
            "that was printed then stands beside the name.",
          "the names are those that contributors gave themselves: compare the digests with those that they published.",
        ]
  const isClosed = contributions.some(({ beacon }) => beacon !== null)
  return [
    ...phase2,
    ...(isClosed ? ["the value of the beacon was known to nobody when the last person contributed."] : []),
    "one of the contributors to the powers of tau did the same with theirs.",
    circuit.weights === "private"
      ? "the architecture is the one you mean. Of the models that are committed to under this key it says nothing."
      : "the model is the one you mean: its digest above is all that this says of it.",
    ...(verificationKey === null ? [] : ["receipts are checked against this key digest."]),
  ]
}
