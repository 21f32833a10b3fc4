/** What this code runs in, its randomness and its hash, and what Node's file system allows and says. */
import { sha256 as portable } from "@noble/hashes/sha2.js"

export const isNode = typeof process === "object" && typeof process.versions?.node === "string"

/** Most that the platform draws at once. */
const mostRandom = 2 ** 16

/** `n` uniform bytes. */
export function platformRandom(n: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(n)
  for (let at = 0; at < n; at += mostRandom) crypto.getRandomValues(bytes.subarray(at, at + mostRandom))
  return bytes
}

/** Most bytes of one read or write; the platform's limit is 2^31 − 1. */
export const mostBytes = 2 ** 30

/** Why the file system refused. */
export const refusalOf = (error: unknown): string => {
  const { code, message } = error as NodeJS.ErrnoException
  return code === "ENOENT" ? "does not exist" : (message ?? String(error))
}

/** A hash under way. */
export interface Hashing {
  update(bytes: Uint8Array): unknown
  digest(): Uint8Array
}

/** SHA-256 by the platform where it has one that takes bytes part by part, which is ten times as fast. */
export function sha256(): Hashing {
  // loaded like this no bundler of a page looks for it; Node has this from 20.16 on
  const native = isNode ? process.getBuiltinModule?.("node:crypto") : undefined
  return native ? native.createHash("sha256") : portable.create()
}
