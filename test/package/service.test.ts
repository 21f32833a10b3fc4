/**
 * examples/node-service, out of the tarball in an empty folder: its README's commands as they stand, then what clients do
 * to a service: come all at once, hang up, send what is none of its business, send it slowly; and what its host does to it.
 */
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { readFileSync, rmSync } from "node:fs"
import { createServer, request } from "node:http"
import { type AddressInfo, connect } from "node:net"
import { dirname } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest"
import { parseReceipt, parseVerificationKey, type VerificationKey, verify } from "#src/verifier/index.js"
import { type Newcomer, newcomer } from "../support/newcomer.js"

const probe = fileURLToPath(new URL("../support/service-probe.mjs", import.meta.url))
const contextOf = (i: number): string => `0x${i.toString(16).padStart(64, "0")}`

let at: Newcomer
let key: VerificationKey
let input: string
beforeAll(async () => {
  at = newcomer("node-service")
  await at.shell(at.blocks("sh")[0])
  key = parseVerificationKey(readFileSync(at.path("digits/verification.json"), "utf8"))
  input = readFileSync(at.path("input.json"), "utf8")
}, 120_000)
afterAll(() => rmSync(dirname(at.folder), { recursive: true, force: true }))

interface Held {
  readonly heap: number
  readonly threads: number
  readonly resources: readonly string[]
}
interface Service {
  readonly url: string
  readonly child: ChildProcess
  /** What it has printed. */
  readonly said: () => string
  /** Asks the probe in its process. */
  ask(what: "what is held" | "end threads"): Promise<Held>
  health(): Promise<Record<string, number | string>>
  prove(context: number, more?: RequestInit, body?: string): Promise<Response>
}
const running: ChildProcess[] = []
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL")
})

/** Starts a service of the README's command, with more options. */
async function start(...options: string[]): Promise<Service> {
  const [, command] = at.blocks("sh")
  const [program, ...args] = command.trim().split(" ")
  expect(program).toBe("node")
  const flags = ["--expose-gc", "--import", probe]
  const child = spawn(process.execPath, [...flags, ...args, "--port", "0", ...options], {
    cwd: at.folder,
    stdio: ["ignore", "pipe", "pipe", "ipc"],
  })
  running.push(child)
  let said = ""
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part) => (said += part))
  while (!said.includes("under key")) {
    if (child.exitCode !== null) throw new Error(said)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const url = /http:\/\/\S+/.exec(said)?.[0] ?? ""
  return {
    url,
    child,
    said: () => said,
    async ask(what) {
      const answer = once(child, "message")
      child.send(what)
      return (await answer)[0]
    },
    health: async () => (await fetch(`${url}/health`)).json(),
    prove: (context, more = {}, body = input) =>
      fetch(`${url}/prove?context=${contextOf(context)}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body,
        ...more,
      }),
  }
}

/** Waits until something is so; it is asked for often. */
async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  const end = performance.now() + 30_000
  while (!(await holds())) {
    if (performance.now() > end) throw new Error("it never was")
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const isProven = async (response: Response, context: number): Promise<boolean> => {
  expect(response.status).toBe(200)
  const receipt = parseReceipt(await response.text())
  return verify(receipt, {
    verificationKey: key,
    model: key.model,
    context: contextOf(context),
    allowDev: true,
  })
}
const errorOf = async (response: Response) => {
  const { error } = (await response.json()) as { error: { name: string; message: string } }
  expect(Object.keys(error).sort()).toEqual(["message", "name"])
  expect(error.message).not.toMatch(/\bat .*:\d+:\d+|node_modules/)
  return { status: response.status, ...error }
}

/** A port that is free now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, "close")
  return port
}

describe("examples/node-service", () => {
  /** One for all tests that leave it as it was. */
  let service: Service
  beforeAll(async () => {
    service = await start("--queue", "2", "--body-limit", "20000", "--body-time", "2")
    running.splice(0)
  })
  afterAll(() => service?.child.kill("SIGKILL"))
  /** What it counts from now on. */
  const counting = async () => {
    const { health } = service
    const before = await health()
    return async () => {
      const now = await health()
      const since = (name: string) => Number(now[name]) - Number(before[name])
      const names = ["proven", "refused", "aborted", "failed"]
      const counts = Object.fromEntries(names.map((name) => [name, since(name)]))
      return { ...counts, state: now.state } as Record<string, number | string>
    }
  }

  it("runs by the commands of its README, and its types hold", async () => {
    const port = await freePort()
    const { child, said } = await start("--port", String(port))
    const printed = await at.shell(at.blocks("sh")[2].replaceAll("8787", String(port)))
    expect(printed).toMatch(/^valid$/m)
    expect(printed).toContain("--key-digest says")
    expect(JSON.parse(printed.trim().split("\n").at(-1) ?? "")).toMatchObject({ state: "ready", proven: 2 })
    const lines = readFileSync(at.path("lines.json"), "utf8").trim().split("\n")
    const last = JSON.parse(lines.pop() ?? "")
    expect(parseReceipt(last.receipt).statement.output.visibility).toBe("public")
    const stages = lines.map((line) => JSON.parse(line).progress)
    expect(stages.length).toBeGreaterThan(3)
    expect(stages.at(-1)).toEqual({ stage: "prove", done: 4, total: 4 })
    child.kill("SIGTERM")
    expect((await once(child, "exit"))[0]).toBe(0)
    expect(said()).toMatch(/^stopped$/m)

    await at.types("service.mjs")
  })

  it("makes one proof at a time, lets some wait, and tells the rest when to come back", async () => {
    const { prove } = service
    const counted = await counting()
    const answers = await Promise.all([1, 2, 3, 4, 5, 6, 7].map((i) => prove(i)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(3)
    expect(statuses.filter((status) => status === 503).length).toBeGreaterThanOrEqual(1)
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 200) expect(await isProven(answer, i + 1)).toBe(true)
      else {
        expect(Number(answer.headers.get("retry-after"))).toBeGreaterThanOrEqual(1)
        expect(await errorOf(answer)).toMatchObject({ status: 503, message: "the queue is full" })
      }
    }
    const proven = statuses.filter((status) => status === 200).length
    expect(await counted()).toEqual({ state: "ready", proven, refused: 7 - proven, aborted: 0, failed: 0 })
    expect(await service.health()).toMatchObject({ proving: 0, waiting: 0, queue: 2 })
    expect(await isProven(await prove(8), 8)).toBe(true)
  })

  it("ends the proof of a client that hangs up, waiting or under way, and a proof that takes too long", async () => {
    const { prove, health, said } = service
    const counted = await counting()
    const clients = [1, 2, 3].map(() => new AbortController())
    const answers = clients.map(({ signal }, i) => prove(i, { signal }).catch((error) => error.name))
    await until(async () => (await health()).waiting === 2)
    clients[1].abort()
    await until(async () => (await counted()).aborted === 1)
    clients[0].abort()
    clients[2].abort()
    expect(await Promise.all(answers)).toEqual(["AbortError", "AbortError", "AbortError"])
    await until(async () => (await health()).state === "ready")
    expect(await counted()).toEqual({ state: "ready", proven: 0, refused: 0, aborted: 3, failed: 0 })
    expect(await isProven(await prove(9), 9)).toBe(true)
    expect(said()).not.toContain("Error")

    const hasty = await start("--time-limit", "0.001")
    expect(await errorOf(await hasty.prove(1))).toMatchObject({
      status: 503,
      message: "no proof within 0.001 seconds",
    })
    await until(async () => (await hasty.health()).state === "ready")
    expect(await hasty.health()).toMatchObject({ aborted: 1, failed: 0, waiting: 0 })
  })

  it("refuses what is none of its business in the caller's words, and stays ready", async () => {
    const { url, prove, said } = service
    const counted = await counting()
    const post = (path: string, more: RequestInit = {}) =>
      fetch(`${url}${path}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: input,
        ...more,
      })
    const pixels = (x: number) => JSON.stringify({ inputs: { image: Array(784).fill(x) } })
    const cases: readonly [number, RegExp, () => Promise<Response>][] = [
      [400, /context is missing/, () => post("/prove")],
      [400, /context; expected/, () => post("/prove?context=0x12")],
      [400, /context; expected/, () => post(`/prove?context=${contextOf(1)}&context=${contextOf(2)}`)],
      [400, /is not JSON/, () => prove(1, {}, "{")],
      [400, /is not JSON/, () => prove(1, {}, "")],
      [400, /twice/, () => prove(1, {}, '{"inputs":{},"inputs":{}}')],
      [400, /nested deeper/, () => prove(1, {}, "[".repeat(10_000))],
      [400, /not readable as JSON/, () => prove(1, { body: new Uint8Array([0x22, 0xff, 0x22]) })],
      [404, /POST \/prove/, () => post("/")],
      [404, /POST \/prove/, () => fetch(`${url}/../prove/x`)],
      [405, /expected POST/, () => fetch(`${url}/prove`)],
      [405, /expected GET/, () => post("/key")],
      [413, /at most 20000 bytes/, () => prove(1, {}, " ".repeat(20_001))],
      [415, /application\/json/, () => prove(1, { headers: { "Content-Type": "text/plain" } })],
      [422, /not an input/, () => prove(1, {}, "[]")],
      [422, /not an input/, () => prove(1, {}, "null")],
      [422, /is missing/, () => prove(1, {}, '{"inputs":{}}')],
      [422, /unknown input/, () => prove(1, {}, '{"inputs":{"__proto__":[1],"image":[1]}}')],
      [422, /do not fit the shape/, () => prove(1, {}, '{"inputs":{"image":[1,2]}}')],
      [422, /not a finite number/, () => prove(1, {}, pixels(0).replace("0", '"0"'))],
      [422, /image/, () => prove(1, {}, pixels(1e300))],
    ]
    for (const [status, message, ask] of cases)
      expect(await errorOf(await ask()), `${message}`).toMatchObject({
        status,
        message: expect.stringMatching(message),
      })

    // without a length the bytes are counted as they come
    const pull = async (to: ReadableStreamDefaultController) => {
      await new Promise((resolve) => setTimeout(resolve, 1))
      to.enqueue(new Uint8Array(5000).fill(32))
    }
    const endless = new ReadableStream({ pull })
    const streamed = { body: endless, duplex: "half" } as RequestInit
    const outcome = await prove(1, streamed).then(
      ({ status }) => status,
      () => "cut off",
    )
    expect([413, "cut off"]).toContain(outcome)
    // whoever asks first need not send what is too large
    const asked = request(`${url}/prove?context=${contextOf(1)}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", "Content-Length": "20001", Expect: "100-continue" },
    })
    asked.flushHeaders()
    const [{ statusCode }] = await once(asked, "response")
    expect(statusCode).toBe(413)
    asked.destroy()
    const [host, port] = new URL(url).host.split(":")
    const socket = connect(Number(port), host)
    socket.write(
      `POST /prove?context=${contextOf(1)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
    )
    expect(String((await once(socket, "data"))[0])).toMatch(
      /^HTTP\/1.1 408 [\s\S]*took longer than 2 seconds/,
    )
    await once(socket, "close")
    // and one that goes away in the middle of its body
    const cut = connect(Number(port), host)
    cut.write(
      `POST /prove?context=${contextOf(1)} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{`,
    )
    await service.health()
    cut.destroy()
    expect(await isProven(await prove(2), 2)).toBe(true)
    expect(await counted()).toMatchObject({ state: "ready", failed: 0, proven: 1 })
    expect(said()).not.toContain("Error")
  })

  it("says only a number of what breaks on its side, its log has the rest, and it goes on", async () => {
    const { prove, ask, said, health } = service
    const counted = await counting()
    expect((await ask("what is held")).threads).toBeGreaterThan(0)
    let answer: Response | undefined
    for (let i = 0; i < 20 && answer?.status !== 500; i++) {
      const asked = prove(1)
      await until(async () => (await health()).proving === 1)
      await ask("end threads")
      answer = await asked
    }
    const error = await errorOf(answer as Response)
    expect(error).toMatchObject({ status: 500, name: "InternalError" })
    const id = /[0-9a-f-]{36}/.exec(error.message)?.[0] ?? "no number"
    expect(said()).toContain(id)
    expect(said()).toContain("a worker died")
    expect(await isProven(await prove(2), 2)).toBe(true)
    expect(await counted()).toMatchObject({ state: "ready", failed: 1 })
  })

  it("finishes what it has on SIGTERM, takes no more, and aborts on a second one or when time is over", async () => {
    const both = [
      ["0", 1],
      ["20", 2],
    ] as const
    const polite = await start()
    const answers = [1, 2, 3].map((i) => polite.prove(i))
    await until(async () => Number((await polite.health()).waiting) >= 1)
    polite.child.kill("SIGTERM")
    await until(() =>
      polite.health().then(
        () => false,
        () => true,
      ),
    )
    const exit = once(polite.child, "exit")
    for (const [i, answer] of answers.entries()) expect(await isProven(await answer, i + 1)).toBe(true)
    expect((await exit)[0]).toBe(0)
    expect(polite.said()).toMatch(/^stopped$/m)

    // the same by time alone takes as long to test
    for (const [grace, signals] of process.env.FULL ? both : both.slice(1)) {
      const service = await start("--grace", grace)
      const asked = [1, 2, 3].map((i) => service.prove(i))
      await until(async () => Number((await service.health()).waiting) >= 1)
      const gone = once(service.child, "exit")
      for (let i = 0; i < signals; i++) {
        service.child.kill("SIGTERM")
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      expect(await errorOf(await asked[2])).toMatchObject({ status: 503, message: "the service is stopping" })
      await Promise.all(asked)
      expect((await gone)[0]).toBe(0)
    }
  })

  it("holds no more after many requests than after a few", async () => {
    const { prove, ask, health } = service
    const rounds = async (from: number, count: number) => {
      for (let i = from; i < from + count; i++) {
        const hasty = new AbortController()
        const [proven] = await Promise.all([
          prove(i),
          prove(i, {}, "{}"),
          prove(i, { signal: hasty.signal }).catch(() => undefined),
          new Promise<void>((resolve) => setTimeout(resolve, 5)).then(() => hasty.abort()),
        ])
        expect(await isProven(proven, i)).toBe(true)
      }
      await until(async () => (await health()).state === "ready")
      return await ask("what is held")
    }
    const many = process.env.FULL ? 300 : 10
    const first = await rounds(0, 5)
    const last = await rounds(100, many)
    expect(last.threads).toBe(first.threads)
    // idle connections of this client are all that may differ
    const kinds = (held: Held) => held.resources.filter((kind) => !/TCP|Timeout/.test(kind)).sort()
    expect(kinds(last)).toEqual(kinds(first))
    // the engine warms up; a body or a receipt that stayed would be more
    expect(last.heap - first.heap, `${first.heap} ${last.heap}`).toBeLessThan(2 ** 20)
  }, 600_000)

  it("says what is wrong with its command line", async () => {
    for (const [args, message] of [
      ["nothing", /ENOENT/],
      ["digits --queue many", /--queue; expected a number; given many/],
    ] as const)
      expect(await at.shell(`node service.mjs ${args} 2>&1 || echo "exit $?"`)).toMatch(
        new RegExp(`${message.source}[\\s\\S]*exit 2`),
      )
  })
})
