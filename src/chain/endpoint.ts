/**
 * An endpoint (JSON-RPC over HTTP) that may be slow, busy or gone for a while. Questions are asked again, a few times and
 * later each time; a transaction is never sent again from here (send.ts). An endpoint's address may hold a password, so
 * errors name its host alone.
 */
import { FetchRequest, JsonRpcProvider, Network } from "ethers"
import { checkOptions, checkText } from "../arguments.js"
import { UsageError } from "../errors.js"
import { ChainError } from "./errors.js"

export interface EndpointOptions {
  /** Milliseconds for one answer; default 20,000. */
  readonly timeoutMs?: number
  /** How often a question is asked before its answer is given up; default 5. */
  readonly attempts?: number
  /** Milliseconds before it is asked the second time; twice as many before each further one. Default 250. */
  readonly pauseMs?: number
}

type Payload = Parameters<JsonRpcProvider["_send"]>[0]
type Answers = Awaited<ReturnType<JsonRpcProvider["_send"]>>

/** Calls that change something if they arrive. */
const changing = new Set(["eth_sendRawTransaction", "eth_sendTransaction"])
/** Errors of JSON-RPC by which endpoints say that they are busy (EIP-1474). */
const busy = new Set([-32005, 429])

/** @internal Waits. */
export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** Whether an answer is that the endpoint is busy. */
const isBusy = (answer: Answers[number]): boolean =>
  "error" in answer && busy.has((answer.error as { code?: number }).code ?? 0)

const statusOf = (error: unknown) =>
  (error as { response?: { statusCode?: number } } | null)?.response?.statusCode

/** Whether the same question may be answered later: not where the endpoint does not know or like the caller. */
function passing(error: unknown): boolean {
  const status = statusOf(error)
  return status === undefined || status === 408 || status === 429 || status >= 500
}

class Endpoint extends JsonRpcProvider {
  readonly #options: Required<EndpointOptions>
  readonly #host: string
  constructor(url: string, network: Network, options: Required<EndpointOptions>) {
    super(requestTo(url, options), network, {
      staticNetwork: network,
      cacheTimeout: -1,
      batchMaxCount: 1,
    })
    this.#options = options
    this.#host = hostOf(url)
  }

  override async _send(payload: Payload): Promise<Answers> {
    const changes = [payload].flat().some(({ method }) => changing.has(method))
    return await asked(() => super._send(payload), this.#host, {
      ...this.#options,
      ...(changes ? { attempts: 1 } : {}),
    })
  }
}

function requestTo(url: string, { timeoutMs }: Required<EndpointOptions>): FetchRequest {
  const request = new FetchRequest(url)
  request.timeout = timeoutMs
  // asking again is ours
  request.setThrottleParams({ maxAttempts: 1 })
  return request
}

async function asked(
  ask: () => Promise<Answers>,
  host: string,
  { attempts, pauseMs }: Required<EndpointOptions>,
): Promise<Answers> {
  for (let attempt = 1; ; attempt++) {
    let problem: unknown = null
    try {
      const answers = await ask()
      if (!answers.some(isBusy)) return answers
    } catch (error) {
      problem = error
    }
    // never left to ethers, which takes the answer of a busy endpoint to a trial of a call for the contract's
    if (attempt >= attempts || !passing(problem)) throw unreachable(problem, host, attempt)
    await pause(pauseMs * 2 ** (attempt - 1))
  }
}

/** What stopped a question, in words; null: an answer that says busy. */
function describe(error: unknown): string {
  if (error === null) return "the endpoint is busy, or one of its limits is reached"
  const { code } = error as { code?: unknown }
  const status = statusOf(error)
  if (status !== undefined) return `the endpoint answers with HTTP status ${status}`
  if (code === "TIMEOUT") return "the endpoint does not answer in time"
  return `the endpoint cannot be reached${typeof code === "string" ? ` (${code})` : ""}`
}

function unreachable(error: unknown, host: string, attempts: number): ChainError {
  const what = describe(error)
  return new ChainError("unreachable", {
    where: host,
    what: `${what}${attempts > 1 ? `, asked ${attempts} times` : ""}`,
  })
}

/** The host of an address, which alone is no secret. */
function hostOf(url: string): string {
  try {
    const { protocol, host } = new URL(url)
    if (protocol === "http:" || protocol === "https:") return host
  } catch {
    // as below
  }
  throw new UsageError({ what: "no address of an endpoint", expected: "http:// or https:// and a host" })
}

/**
 * Connects to an endpoint: a provider of ethers, which is to be destroyed (`destroy()`).
 * @throws UsageError for what is no address; ChainError if it does not answer
 */
export async function connect(url: string, options: EndpointOptions = {}): Promise<JsonRpcProvider> {
  checkText(url, "url")
  checkOptions(options)
  const all = { timeoutMs: 20_000, attempts: 5, pauseMs: 250, ...options }
  const host = hostOf(url)
  const question = { method: "eth_chainId", params: [], id: 1, jsonrpc: "2.0" as const }
  // asked here, because a provider of ethers asks for ever, and prints that it does
  const [answer] = await asked(
    async () => {
      const request = requestTo(url, all)
      request.body = JSON.stringify(question)
      request.setHeader("content-type", "application/json")
      const response = await request.send()
      response.assertOk()
      return [response.bodyJson]
    },
    host,
    all,
  )
  const chainId = "result" in answer && typeof answer.result === "string" ? Number(answer.result) : Number.NaN
  if (!Number.isSafeInteger(chainId) || chainId < 1)
    throw new ChainError("unreachable", {
      where: host,
      what: "the endpoint does not say which chain it is of",
    })
  return new Endpoint(url, Network.from(chainId), all)
}
