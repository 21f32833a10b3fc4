import { describeProvenance, type Provenance } from "../verifier/index.js"

/**
 * The library speaks of its parameters and the command line of its options. A message of the library writes
 * "option `maxConstraints`" or "parameter `options.precision`" wherever it names one; here is what the command
 * line calls it.
 */
const options: Readonly<Record<string, string>> = {
  allowDev: "--allow-dev",
  approve: "--approve",
  attestation: "--attestation",
  backend: "--backend",
  calibrations: "--calibration",
  clampInputs: "--clamp",
  context: "--context",
  dev: "--dev",
  dimensions: "--dimension",
  entropy: "--entropy",
  fromBlock: "--from",
  input: "--input",
  like: "--like",
  maxConstraints: "--max-constraints",
  maxMemory: "--max-memory",
  model: "--model",
  iterations: "--iterations",
  name: "--name",
  output: "--output",
  outputs: "--outputs",
  precision: "--precision",
  precisions: "--precision",
  proofSystem: "--proof-system",
  "salts.input": "--salts",
  "salts.output": "--salts",
  samples: "--samples",
  target: "--target-accuracy",
  value: "--value",
  verificationKey: "--key",
  weights: "--weights",
}

/** A message of the library in words of the command line. */
export const inOptions = (message: string): string =>
  message.replace(/(?:option|parameter) `(?:options\.|expected\.)?([\w.]+)`/g, (words, name: string) =>
    Object.hasOwn(options, name) ? options[name] : words,
  )

/** What a key says of how it was made, and what checks that, behind a label as wide as the lines around it have. */
export function madeBy(setup: Provenance, label: string): string[] {
  const line = `${label}${describeProvenance(setup)}`
  if (typeof setup === "string") return [line]
  if (!("transcript" in setup)) return [`${line}; \`countersign setup verify\` makes it again`]
  const checked = `${line}; \`countersign setup verify\` checks that`
  return [checked, `${" ".repeat(label.length)}transcript ${setup.transcript}`]
}
