/** What runs in the page of test/ceremony/browser.test.ts, which calls it by name. */
import { type ByteSource, contribute } from "#src/ceremony/index.js"

/** A key as a person gives it to a page: a file, read in ranges. */
async function keyFrom(path: string): Promise<ByteSource> {
  const blob = await (await fetch(path)).blob()
  return {
    size: blob.size,
    read: async (from, length) => new Uint8Array(await blob.slice(from, from + length).arrayBuffer()),
  }
}

/** Contributes, and gives what a page would publish, and the new key in base64. */
async function contributed(path: string, name: string, entropy: string) {
  const parts: BlobPart[] = []
  const sink = {
    async write(bytes: Uint8Array) {
      parts.push(bytes as Uint8Array<ArrayBuffer>)
    },
  }
  const stages = new Set<string>()
  const { transcript, number, bytes } = await contribute(await keyFrom(path), {
    name,
    entropy,
    sink,
    onProgress: ({ stage }) => stages.add(stage),
  })
  const key = new Uint8Array(await new Blob(parts).arrayBuffer())
  const text = Array.from(key, (byte) => String.fromCharCode(byte)).join("")
  return { transcript, number, bytes, stages: [...stages], key: btoa(text) }
}

/** What a contribution fails with. */
const refused = (path: string, name: string): Promise<string> =>
  contributed(path, name, "").then(
    () => "nothing",
    (error: Error) => `${error.name}: ${error.message}`,
  )

const api = { contributed, refused }
export type CeremonyPage = typeof api
Object.assign(globalThis, { countersign: api })
