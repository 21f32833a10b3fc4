/** The columns that pictures and tables take from each section's file, apart from where and when it was measured. */
const where = ["date", "commit", "cpu", "cores", "node"]
const columns = {
  models: ["name", "ms", "constraints", "keyBytes", "peakBytes", "accuracyLoss"],
  peers: ["name", "against", "ms", "otherMs", "ratio"],
  scaling: ["name", "ms", "power", "runtime", "threads", "constraints", "peakBytes"],
  operators: ["name", "ms", "kind", "form", "size", "constraints", "lookups", "nonzeros"],
  nodes: ["name", "model", "node", "primitive", "constraints", "lookups"],
}

/** @throws Error naming what a section's rows lack */
export function checkColumns(section, rows) {
  const missing = [...columns[section], ...where].filter((name) => !Object.hasOwn(rows[0], name))
  if (missing.length > 0) throw new Error(`${section}.csv has no column ${missing.join(", ")}`)
}
