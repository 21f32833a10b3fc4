/** What `npm run page` runs: makes the page in out/page, and says how to host it, or serves it. */
import { existsSync, readFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { join, resolve } from "node:path"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { gzipSync } from "node:zlib"
import { compileLenet, foreignIn, makePage } from "./make.js"
import { filesIn, servePage } from "./serve.js"

const usage = `npm run page [-- --out DIR] [-- --serve [--port N]]
  --out DIR    where the page goes: a folder that is new, empty, or has an older page (default: out/page)
  --serve      serve it afterwards, to this machine alone, with the headers that give it threads
  --port N     default: 4180`

/** A mistake of who called. */
class Usage extends Error {}

function options(): { readonly out: string; readonly serve: boolean; readonly port: number } {
  let values: { out?: string; serve?: boolean; port?: string; help?: boolean }
  try {
    ;({ values } = parseArgs({
      options: {
        out: { type: "string" },
        serve: { type: "boolean" },
        port: { type: "string" },
        help: { type: "boolean" },
      },
    }))
  } catch (error) {
    throw new Usage((error as Error).message)
  }
  const { serve = false, port = "4180", help } = values
  if (help) throw new Usage("")
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65535) throw new Usage(`--port ${port}: expected 0 to 65535`)
  const out = values.out === undefined ? join(root, "../../out/page") : resolve(values.out)
  // it is emptied
  const foreign = existsSync(out) ? foreignIn(out) : undefined
  if (foreign !== undefined) throw new Usage(`--out ${out}: the folder has something else in it: ${foreign}`)
  return { out, serve, port: Number(port) }
}

const kilobytes = (bytes: number) => `${(bytes / 1000).toFixed(1)} kB`.padStart(12)

/** A line for each file: its bytes, and those of it compressed as servers do. */
function sizes(out: string): string[] {
  const rows = filesIn(out).map((path) => {
    const content = readFileSync(join(out, path))
    return { path, raw: content.length, compressed: gzipSync(content).length }
  })
  const sum = (part: "raw" | "compressed") => rows.reduce((total, row) => total + row[part], 0)
  return [...rows, { path: "all", raw: sum("raw"), compressed: sum("compressed") }].map(
    ({ path, raw, compressed }) => `  ${path.padEnd(44)}${kilobytes(raw)}${kilobytes(compressed)} gzip`,
  )
}

const root = fileURLToPath(new URL(".", import.meta.url))
try {
  const { out, serve, port } = options()
  console.log("Compiling LeNet, and drawing keys for development")
  const { keyDigest, model } = await makePage(await compileLenet(join(root, "..")), { root, out })
  console.log(`${out}\n${sizes(out).join("\n")}\n  key    ${keyDigest}\n  model  ${model}`)
  if (serve) {
    const server = await servePage(out, { port })
    console.log(`http://127.0.0.1:${(server.address() as AddressInfo).port}/  (Ctrl+C ends it)`)
  } else {
    console.log(`Put the folder on any server of files, under any path, with HTTPS. From the second visit on proofs run on all threads;
from the first one, if the server sends with every file:
  Cross-Origin-Opener-Policy: same-origin
  Cross-Origin-Embedder-Policy: require-corp
To look at it here: npm run page -- --serve`)
  }
} catch (error) {
  if (!(error instanceof Usage) && (error as NodeJS.ErrnoException).code === undefined) throw error
  console.error(error instanceof Usage ? `${error.message}\n${usage}`.trim() : (error as Error).message)
  process.exitCode = 2
}
