// @ts-check
/**
 * An HTTP service that proves what a model says. It opens one prover for a folder of `countersign compile` and `setup`, and
 * makes one proof at a time, as that takes all threads; a bounded queue waits, and what is beyond it is told when to come
 * back. A client that hangs up has its proof aborted. Node alone, this file alone: copy it and change it.
 *
 *     POST /prove?context=0x…   an input as `countersign prove` takes it   → the receipt
 *     GET  /key                 what clients pin: verification key, its digest, the model, the layout
 *     GET  /health              how it stands
 *
 * The context is the client's, 32 bytes: its nonce, or the digest of what the proof is for. A proof without one could be
 * shown again anywhere, so there is no default. Of bytes from the network none is parsed before they are counted, and what
 * is wrong with them is said as `{ "error": { "name", "message" } }`; faults of this side get a number, and the log has the
 * rest. For the world to reach it, put your proxy before it: it knows nothing of TLS, users, or who asked how often.
 */
import { randomUUID } from "node:crypto"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { createServer } from "node:http"
import { join } from "node:path"
import { parseArgs } from "node:util"
import {
  FileError,
  InputError,
  keyDigest,
  openKeyFile,
  openProver,
  parseInput,
  parseJson,
  parseVerificationKey,
  rebuildCircuit,
  UsageError,
} from "countersign"

/** @typedef {import("node:http").IncomingMessage} Request */
/** @typedef {import("node:http").ServerResponse} Response */

const usage = `node service.mjs FOLDER [--host 127.0.0.1] [--port 8787] [--queue 8] [--time-limit 30] [--body-limit 1048576]
                  [--body-time 10] [--grace 20]        times in seconds, the body limit in bytes`

// ---------------------------------------------------------------- refusals

/** What a client is told instead of a receipt. */
class Refusal extends Error {
  /**
   * @param {number} status
   * @param {string} name
   * @param {string} message
   * @param {Record<string, string>} [headers]
   */
  constructor(status, name, message, headers = {}) {
    super(message)
    this.name = name
    this.status = status
    this.headers = headers
  }
}

/** @param {string} message @param {number} seconds */
const later = (message, seconds) =>
  new Refusal(503, "Unavailable", message, { "Retry-After": String(Math.max(1, Math.ceil(seconds))) })

/**
 * Says an error in the caller's words: those of the library name what was wrong with the input. Whatever else goes wrong is
 * ours, and none of it leaves but a number.
 * @param {unknown} error
 * @returns {Refusal}
 */
function refusalOf(error) {
  if (error instanceof Refusal) return error
  if (error instanceof InputError) return new Refusal(422, error.name, error.message)
  const id = randomUUID()
  console.error(id, error)
  return new Refusal(
    500,
    "InternalError",
    `the service failed, not your input; its operator can look up ${id}`,
  )
}

// ------------------------------------------------------------------- queue

/** Work that is done one after the other; what waits for its turn can be called off. */
class Queue {
  /** @type {(() => void)[]} */
  #waiting = []
  #busy = false

  get busy() {
    return this.#busy
  }

  get length() {
    return this.#waiting.length
  }

  /**
   * @template T
   * @param {() => Promise<T>} work
   * @param {AbortSignal} signal
   * @returns {Promise<T>}
   */
  async run(work, signal) {
    signal.throwIfAborted()
    if (this.#busy) await this.#turn(signal)
    this.#busy = true
    try {
      signal.throwIfAborted()
      return await work()
    } finally {
      // the next one's turn: nobody comes between, as `busy` stays
      const next = this.#waiting.shift()
      if (next) next()
      else this.#busy = false
    }
  }

  /** @param {AbortSignal} signal @returns {Promise<void>} */
  #turn(signal) {
    return new Promise((resolve, reject) => {
      const turn = () => {
        signal.removeEventListener("abort", leave)
        resolve()
      }
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(turn), 1)
        reject(signal.reason)
      }
      signal.addEventListener("abort", leave, { once: true })
      this.#waiting.push(turn)
    })
  }
}

// ------------------------------------------------------------------ prover

/** @param {string} folder what `countersign compile` and `countersign setup` made */
async function openModel(folder) {
  const read = (/** @type {string} */ name) => readFileSync(join(folder, name))
  const text = (/** @type {string} */ name) => read(name).toString()
  const circuit = await rebuildCircuit({
    model: read("model.bin"),
    circuit: text("circuit.json"),
    gadgets: text("gadgets.json"),
  })
  if (circuit.input === "committed" || circuit.output === "committed")
    throw new UsageError({
      what: "the circuit commits to its input or output",
      fix: "Salts are secrets that somebody has to keep: that is not in this example. Compile without `committed`",
    })
  const verificationKey = parseVerificationKey(text("verification.json"))
  const keyFile = await openKeyFile(join(folder, "proving.key"))
  const prover = await openProver(circuit, keyFile, { verificationKey })
  const inputs = circuit.graph.inputs.map(({ name, tensor }) => ({
    name,
    shape: circuit.graph.tensors[tensor].shape,
  }))
  return {
    inputs,
    /** What clients need: to know what to send, and to verify what they get. */
    public: {
      key: keyDigest(verificationKey),
      model: circuit.model,
      inputs,
      layout: verificationKey.layout,
      verificationKey,
    },
    prove: prover.prove,
    async close() {
      await prover.close()
      await keyFile.close()
    },
  }
}

// ----------------------------------------------------------------- requests

/**
 * The context of a request.
 * @param {URL} url
 * @returns {string}
 */
function contextOf(url) {
  const given = url.searchParams.getAll("context")
  if (given.length === 1 && /^0x[0-9a-f]{64}$/.test(given[0])) return given[0]
  const expected = "expected ?context= with 32 bytes of yours, as 0x and 64 lower-case hexadecimal digits"
  throw new Refusal(
    400,
    "UsageError",
    given.length === 0 ? `context is missing; ${expected}` : `context; ${expected}`,
  )
}

/**
 * The body of a request, of which no more than `most` bytes are taken, nor for longer than `seconds`.
 * @param {Request} request
 * @param {Response} response
 * @param {{ bodyLimit: number, bodyTime: number }} limits
 * @returns {Promise<Buffer>}
 */
async function bodyOf(request, response, { bodyLimit, bodyTime }) {
  const tooLarge = () =>
    new Refusal(413, "TooLarge", `the body is too large; expected at most ${bodyLimit} bytes`, {
      Connection: "close",
    })
  if (Number(request.headers["content-length"]) > bodyLimit) throw tooLarge()
  if (request.headers.expect) response.writeContinue()
  /** @type {NodeJS.Timeout | undefined} */
  let timer
  try {
    return await new Promise((resolve, reject) => {
      const slow = () =>
        reject(
          new Refusal(408, "TooSlow", `the body took longer than ${bodyTime} seconds`, {
            Connection: "close",
          }),
        )
      timer = setTimeout(slow, 1000 * bodyTime)
      /** @type {Buffer[]} */
      const parts = []
      let bytes = 0
      request.on("data", (part) => {
        bytes += part.length
        if (bytes <= bodyLimit) parts.push(part)
        else reject(tooLarge())
      })
      request.on("end", () => resolve(Buffer.concat(parts)))
      request.on("error", reject)
      request.on("close", () => reject(new Refusal(400, "Incomplete", "the body ended early")))
    })
  } finally {
    clearTimeout(timer)
  }
}

/**
 * The input in a body, read strictly.
 * @param {Buffer} body
 * @param {Parameters<typeof parseInput>[1]} inputs
 */
function inputIn(body, inputs) {
  try {
    return parseInput(parseJson(body, "body"), inputs, "body")
  } catch (error) {
    if (error instanceof FileError) throw new Refusal(400, error.name, error.message)
    throw error
  }
}

/**
 * An answer as one JSON document; or, for a client that accepts application/x-ndjson, as lines, of which the last is
 * `{ "receipt" }` or `{ "error" }` and those before say how far the proof is.
 * @param {Request} request
 * @param {Response} response
 */
function answerTo(request, response) {
  const inLines = (request.headers.accept ?? "").includes("application/x-ndjson")
  const line = (/** @type {object} */ value) => {
    if (!response.headersSent) response.writeHead(200, { "Content-Type": "application/x-ndjson" })
    response.write(`${JSON.stringify(value)}\n`)
  }
  return {
    /** @param {object} event */
    progress(event) {
      if (inLines && !response.destroyed) line({ progress: event })
    },
    /** @param {import("countersign").Receipt} receipt */
    receipt(receipt) {
      if (response.destroyed) return
      if (!inLines) return sendJson(response, 200, receipt)
      line({ receipt })
      response.end()
    },
    /** @param {Refusal} refusal */
    refuse({ status, name, message, headers }) {
      if (response.destroyed) return
      if (!response.headersSent) return sendJson(response, status, { error: { name, message } }, headers)
      line({ error: { status, name, message } })
      response.end()
    },
  }
}

/** @param {Response} response @param {number} status @param {object} value @param {Record<string, string>} [headers] */
function sendJson(response, status, value, headers = {}) {
  const text = `${JSON.stringify(value)}\n`
  const more = { "Content-Length": Buffer.byteLength(text), "Cache-Control": "no-store", ...headers }
  response.writeHead(status, { "Content-Type": "application/json", ...more })
  response.end(text)
}

// ------------------------------------------------------------------ service

/** Each may have a body in memory before it gets into the queue. */
const mostConnections = 256

/**
 * @param {string} folder
 * @param {{ queue: number, timeLimit: number, bodyLimit: number, bodyTime: number, grace: number }} limits
 */
async function openService(folder, limits) {
  const model = await openModel(folder)
  const queue = new Queue()
  const counts = { proven: 0, refused: 0, aborted: 0, failed: 0 }
  /** Requests under way, each with what ends it. @type {Map<AbortController, Promise<void>>} */
  const active = new Map()
  let proveSeconds = 0
  let closing = false
  const stopping = () => new Refusal(503, "Unavailable", "the service is stopping", { Connection: "close" })

  const state = () => {
    if (closing) return "closing"
    if (!queue.busy) return "ready"
    return queue.length < limits.queue ? "busy" : "full"
  }
  const full = () => later("the queue is full", proveSeconds * (queue.length + 1))

  /**
   * @param {Request} request
   * @param {Response} response
   * @param {URL} url
   * @param {AbortController} abort
   */
  async function prove(request, response, url, { signal }) {
    const answer = answerTo(request, response)
    try {
      if (!/^application\/json *(;|$)/i.test(request.headers["content-type"] ?? ""))
        throw new Refusal(415, "UsageError", "the body must be JSON; expected Content-Type: application/json")
      const context = contextOf(url)
      if (state() === "full") throw full()
      const body = await bodyOf(request, response, limits)
      const input = inputIn(body, model.inputs)
      // others may have come while the body did
      if (state() === "full") throw full()
      const receipt = await queue.run(async () => {
        const start = performance.now()
        const made = await model.prove(input, { context, signal, onProgress: answer.progress })
        const seconds = (performance.now() - start) / 1000
        proveSeconds = proveSeconds === 0 ? seconds : 0.8 * proveSeconds + 0.2 * seconds
        return made
      }, signal)
      counts.proven++
      answer.receipt(receipt)
    } catch (error) {
      const refusal = refusalOf(signal.aborted ? signal.reason : error)
      counts[signal.aborted ? "aborted" : refusal.status === 500 ? "failed" : "refused"]++
      answer.refuse(refusal)
    }
  }

  /** @param {Request} request @param {Response} response */
  async function handle(request, response) {
    const url =
      URL.canParse(request.url ?? "", "http://localhost") && new URL(request.url ?? "", "http://localhost")
    const path = url ? url.pathname : ""
    const method = path === "/prove" ? "POST" : "GET"
    const refuse = (/** @type {Refusal} */ refusal) => answerTo(request, response).refuse(refusal)
    if (!url || !["/prove", "/key", "/health"].includes(path))
      return refuse(new Refusal(404, "NotFound", "there are POST /prove, GET /key and GET /health"))
    if (request.method !== method)
      return refuse(new Refusal(405, "NotAllowed", `expected ${method}`, { Allow: method }))
    if (path === "/key") return sendJson(response, 200, model.public)
    if (path === "/health") {
      const { rss: memoryBytes } = process.memoryUsage()
      const facts = {
        proving: queue.busy ? 1 : 0,
        waiting: queue.length,
        queue: limits.queue,
        proveSeconds: Number(proveSeconds.toFixed(3)),
      }
      return sendJson(response, closing ? 503 : 200, { state: state(), ...facts, ...counts, memoryBytes })
    }
    if (closing) return refuse(stopping())
    const abort = new AbortController()
    response.once("close", () => {
      if (!response.writableFinished) abort.abort(new Refusal(499, "Aborted", "the client went away"))
    })
    const tooLong = () =>
      later(`no proof within ${limits.timeLimit} seconds`, proveSeconds * (queue.length + 1))
    const timer = setTimeout(() => abort.abort(tooLong()), 1000 * limits.timeLimit)
    const work = prove(request, response, url, abort)
    active.set(abort, work)
    await work
    active.delete(abort)
    clearTimeout(timer)
  }

  const server = createServer(handle)
  server.maxConnections = mostConnections
  // a body that is not wanted is refused before it is sent
  server.on("checkContinue", handle)
  const end = () => {
    for (const abort of active.keys()) abort.abort(stopping())
  }
  return {
    server,
    model,
    /** Takes no more, finishes what it has within the grace period, and ends. */
    async close() {
      closing = true
      server.close()
      const timer = setTimeout(end, 1000 * limits.grace)
      while (active.size > 0) await Promise.allSettled(active.values())
      clearTimeout(timer)
      server.closeAllConnections()
      await model.close()
    },
    /** Does not wait for what `close` waits for. */
    end,
  }
}

// ------------------------------------------------------------- command line

const defaults = {
  host: "127.0.0.1",
  port: "8787",
  queue: "8",
  "time-limit": "30",
  "body-limit": String(2 ** 20),
  "body-time": "10",
  grace: "20",
}

/** @returns {Promise<void>} */
async function main() {
  const options = Object.fromEntries(
    Object.entries(defaults).map(([name, value]) => [
      name,
      /** @type {const} */ ({ type: "string", default: value }),
    ]),
  )
  const { values, positionals } = parseArgs({ options, allowPositionals: true })
  const given = /** @type {typeof defaults} */ (values)
  const number = (/** @type {Exclude<keyof typeof defaults, "host">} */ name) => {
    const value = Number(given[name])
    if (given[name].trim() !== "" && value >= 0 && Number.isFinite(value)) return value
    throw new UsageError({ what: `--${name}`, expected: "a number", given: given[name] })
  }
  if (positionals.length !== 1) throw new UsageError({ what: "name one folder", fix: usage })
  const service = await openService(positionals[0], {
    queue: number("queue"),
    timeLimit: number("time-limit"),
    bodyLimit: number("body-limit"),
    bodyTime: number("body-time"),
    grace: number("grace"),
  })
  const { server, model } = service
  /** @type {Promise<void> | undefined} */
  let closed
  const stop = () => {
    // whoever says it twice does not want to wait
    if (closed) return service.end()
    closed = service.close().then(() => console.log("stopped"))
  }
  process.on("SIGTERM", stop).on("SIGINT", stop)
  server.listen(number("port"), given.host)
  await once(server, "listening")
  const address = /** @type {import("node:net").AddressInfo} */ (server.address())
  console.log(
    `listening on http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`,
  )
  console.log(`proving model ${model.public.model} under key ${model.public.key}`)
}

try {
  await main()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 2
}
