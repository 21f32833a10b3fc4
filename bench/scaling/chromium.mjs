/**
 * Proofs in a page of headless Chromium, bundled by vite: with both headers the page is cross-origin isolated and has
 * threads, without them it has none. Every measurement has a browser of its own; its memory is the most that the
 * process of the page, workers included, ever held of the machine's, as Linux counts it (`VmHWM`).
 */
import { createReadStream, readdirSync, readFileSync, statSync } from "node:fs"
import { createServer } from "node:http"
import { extname, join } from "node:path"
import { fileURLToPath } from "node:url"

const types = { ".js": "text/javascript", ".wasm": "application/wasm", "": "text/html" }
const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
}

/** The page as files by path. */
async function bundle() {
  const { build } = await import("vite")
  const { output } = await build({
    root: fileURLToPath(new URL("../..", import.meta.url)),
    configFile: false,
    logLevel: "silent",
    publicDir: false,
    build: {
      write: false,
      rolldownOptions: { input: fileURLToPath(new URL("page.mjs", import.meta.url)) },
    },
  })
  const files = new Map(
    output.map((file) => [file.fileName, file.type === "chunk" ? file.code : file.source]),
  )
  const entry = output.find((file) => file.type === "chunk" && file.isEntry)
  return files.set("", `<!doctype html><script type="module" src="/${entry.fileName}"></script>`)
}

/** Serves those files, then those of `folder`. */
async function serve(files, folder, headers) {
  const server = createServer(({ url = "/" }, response) => {
    const name = url.slice(1)
    const content = files.get(name)
    try {
      const size = content === undefined ? statSync(join(folder, name)).size : Buffer.byteLength(content)
      const type = types[extname(name)] ?? "application/octet-stream"
      response.writeHead(200, { "content-type": type, "content-length": size, ...headers })
      if (content === undefined) createReadStream(join(folder, name)).pipe(response)
      else response.end(content)
    } catch {
      response.writeHead(404).end()
    }
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  return server
}

/** The most memory of a renderer below a process, in bytes. */
function peakOf(root) {
  const read = (path) => {
    try {
      return readFileSync(path, "utf8")
    } catch {
      return "" // it has ended meanwhile
    }
  }
  const status = new Map(
    readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map((pid) => [Number(pid), read(`/proc/${pid}/status`)]),
  )
  const field = (text, name) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(text)?.[1] ?? 0)
  const isBelow = (pid) => pid === root || (pid > 1 && isBelow(field(status.get(pid) ?? "", "PPid")))
  const peaks = [...status]
    .filter(([pid]) => isBelow(pid) && read(`/proc/${pid}/cmdline`).includes("--type=renderer"))
    .map(([, text]) => field(text, "VmHWM") * 1024)
  return Math.max(0, ...peaks)
}

/** Opens what measures proofs of a folder in a page; a text says why there is no browser. */
export async function openPages() {
  if (process.platform !== "linux" || process.arch !== "x64")
    return `no Chromium for ${process.platform} on ${process.arch}`
  const [{ default: file }, { chromium }, files] = await Promise.all([
    import("@sparticuz/chromium"),
    import("playwright-core"),
    bundle(),
  ])
  file.setGraphicsMode = false
  const options = { executablePath: await file.executablePath(), args: ["--no-sandbox"], headless: true }
  try {
    await (await chromium.launch(options)).close()
  } catch (error) {
    const missing = /error while loading shared libraries: [^\n]*/.exec(String(error))
    if (missing === null) throw error
    return missing[0]
  }
  /** Figures of proofs in a page; `note` instead of them says why there are none. */
  return async (folder, isIsolated, timeout) => {
    const host = await chromium.launchServer(options)
    const server = await serve(files, folder, isIsolated ? isolation : {})
    const browser = await chromium.connect(host.wsEndpoint())
    const chromiumVersion = browser.version()
    try {
      const page = await browser.newPage()
      page.setDefaultTimeout(timeout)
      const crashed = new Promise((_, refuse) =>
        page.on("crash", () => refuse(new Error("the page ran out of memory"))),
      )
      crashed.catch(() => undefined)
      await page.goto(`http://127.0.0.1:${server.address().port}/`)
      await page.waitForFunction(() => "measureProofs" in globalThis)
      const late = new Promise((_, refuse) =>
        setTimeout(() => refuse(new Error(`not done in ${timeout / 1000} s`)), timeout).unref(),
      )
      const measured = page.evaluate(() => globalThis.measureProofs())
      const figures = await Promise.race([measured, crashed, late])
      return { ...figures, peakBytes: peakOf(host.process().pid), chromium: chromiumVersion }
    } catch (error) {
      const said = error instanceof Error ? error.message : String(error)
      const [first] = said.replace(/^page\.evaluate: /, "").split("\n")
      if (/does not verify/.test(first)) throw error
      return { note: first, chromium: chromiumVersion }
    } finally {
      await browser.close()
      await host.close()
      server.close()
    }
  }
}
