/** Serves a page that was made, with the headers that give it threads. */
import { readdirSync, readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { extname, join, sep } from "node:path"

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
}
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
}

/** Paths of all files in a folder, with slashes. */
export const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      join(entry.parentPath, entry.name)
        .slice(folder.length + 1)
        .replaceAll(sep, "/"),
    )
    .sort()

export interface ServeOptions {
  readonly port: number
  /** Without the headers, as a server that cannot send them. */
  readonly isolated?: boolean
}

/**
 * Serves the files that are in a folder now, under "/", to this machine alone.
 * @throws Error if the port is taken
 */
export async function servePage(folder: string, { port, isolated = true }: ServeOptions): Promise<Server> {
  const files = new Set(filesIn(folder))
  const server = createServer(({ url = "/", method }, response) => {
    const path = new URL(url, "http://localhost").pathname.slice(1).replace(/(^|\/)$/, "$1index.html")
    if (!files.has(path) || (method !== "GET" && method !== "HEAD")) {
      response.writeHead(404, { "content-type": "text/plain" }).end("There is no such file.\n")
      return
    }
    const content = readFileSync(join(folder, path))
    const hasDigest = /-[\w-]{8}\.\w+$/.test(path)
    response
      .writeHead(200, {
        "content-type": types[extname(path)] ?? "application/octet-stream",
        "content-length": content.length,
        "cache-control": hasDigest ? "public, max-age=31536000, immutable" : "no-cache",
        "x-content-type-options": "nosniff",
        ...(isolated && isolation),
      })
      .end(method === "HEAD" ? undefined : content)
  })
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject)
    server.listen(port, "127.0.0.1", resolve)
  })
  return server
}
