/** The columns that pictures and tables take from each section's file, apart from where and when it was measured. */
const where = ["date", "commit", "cpu", "cores", "node"]
const sides = ["name", "against", "ms", "otherMs", "ratio"]
export const columns = {
  models: [
    ...["name", "ms", "weights", "constraints", "keyBytes", "peakBytes", "agreement"],
    ...["compileMs", "setupMs", "openMs", "witnessMs", "verifyMs"],
  ],
  peers: [...sides, "mode", "peer", "constraints"],
  scaling: ["name", "ms", "power", "runtime", "threads", "constraints", "peakBytes"],
  operators: ["name", "of", "what", "size", "constraints", "lookups", "circuitConstraints", "nonzeros"],
  nodes: ["model", "nodeName", "operator", "primitive", "constraints", "lookups"],
  kernels: sides,
  lenet: sides,
}

/** @throws Error naming what a section's rows lack */
export function checkColumns(section, rows) {
  const missing = [...columns[section], ...where].filter((name) => !Object.hasOwn(rows[0], name))
  if (missing.length > 0) throw new Error(`${section}.csv has no column ${missing.join(", ")}`)
}
