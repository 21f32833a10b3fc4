/** What this code runs in. */
export const isNode = typeof process === "object" && typeof process.versions?.node === "string"
