/**
 * Pages in Chromium with files that Node compiled, and a server for them. Chromium comes as a package for Linux on
 * x64.
 */
import { readFileSync } from "node:fs"
import { createServer, type Server } from "node:http"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"
import chromiumFile from "@sparticuz/chromium"
import { type Browser, chromium } from "playwright-core"
import { build, transformWithOxc } from "vite"
import { expect } from "vitest"

const root = fileURLToPath(new URL("../..", import.meta.url))

/**
 * Chromium, or why there can be none: the package is for another machine, or libraries of the system are missing.
 * None of our code has run by then, and whatever else goes wrong is an error.
 */
export async function launch(): Promise<Browser | string> {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `no Chromium for ${process.platform} on ${process.arch}`
  chromiumFile.setGraphicsMode = false
  const executablePath = await chromiumFile.executablePath()
  try {
    return await chromium.launch({ executablePath, args: ["--no-sandbox"], headless: true })
  } catch (error) {
    const missing = /error while loading shared libraries: [^\n]*/.exec(String(error))
    if (missing === null) throw error
    return missing[0]
  }
}
/** Content by path. */
export type Files = Map<string, Uint8Array | string>

const types: Record<string, string> = {
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
}

/** The files, then those of this package under their own paths; `headers` with every answer. */
export async function serve(files: Files, headers: Record<string, string>): Promise<Server> {
  const server = createServer(({ url = "/" }, response) => {
    const path = url.slice(1)
    try {
      const content = files.get(path) ?? readFileSync(join(root, path))
      response
        .writeHead(200, { "content-type": types[extname(path)] ?? "text/html", ...headers })
        .end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}

/** A page of test/support and all it needs, by vite with its defaults. */
export async function bundle(page: string): Promise<Files> {
  const result = await build({
    root,
    configFile: false,
    logLevel: "silent",
    publicDir: false,
    build: { write: false, rolldownOptions: { input: join(root, "test/support", page) } },
  })
  const { output } = (Array.isArray(result) ? result[0] : result) as Extract<
    typeof result,
    { output: unknown }
  >
  const entry = output.find((file) => file.type === "chunk" && file.isEntry)
  // besides ours only these: no GPL package, and nothing of Node's
  const packages = output.flatMap((file) =>
    file.type === "chunk" ? file.moduleIds.map((id) => /node_modules\/((@\w+\/)?[^/]+)/.exec(id)?.[1]) : [],
  )
  expect([...new Set(packages)].sort()).toEqual(["@noble/curves", "@noble/hashes", "comlink", undefined])
  const files: Files = new Map()
  for (const file of output) files.set(file.fileName, file.type === "chunk" ? file.code : file.source)
  return files.set("", `<!doctype html><script type="module" src="/${entry?.fileName}"></script>`)
}

/** The same without a bundler: modules as they are, found by an import map, which workers do not have. */
export async function modules(page: string): Promise<Files> {
  const path = join(root, "test/support", page)
  const { code } = await transformWithOxc(readFileSync(path, "utf8"), path)
  const imports = {
    "#src/": "/dist/",
    "@noble/curves/": "/node_modules/@noble/curves/",
    "@noble/hashes/": "/node_modules/@noble/hashes/",
    comlink: "/node_modules/comlink/dist/esm/comlink.mjs",
  }
  const map = `<script type="importmap">${JSON.stringify({ imports })}</script>`
  return new Map([
    ["page.js", code],
    ["", `<!doctype html>${map}<script type="module" src="/page.js"></script>`],
  ])
}

/** Headers of a page that may have threads. */
export const isolated = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
}
