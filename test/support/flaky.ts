/** An endpoint in front of another one that fails as it is told, at each call anew. */
import { createServer, type ServerResponse } from "node:http"
import type { AddressInfo } from "node:net"

/**
 * `lost`: the call never arrives; `unheard`: it arrives, its answer does not; `late`: no answer at all; `down`: HTTP 503;
 * `busy`: an error of JSON-RPC that says so; `garbage`: an answer that is none.
 */
export const faults = ["lost", "unheard", "late", "down", "busy", "garbage"] as const
export type Fault = (typeof faults)[number]

export interface Flaky {
  readonly url: string
  /** Calls of each method that came. */
  readonly calls: Map<string, number>
  /** Asked at each call what goes wrong with it. */
  fault: (method: string) => Fault | null
  close(): Promise<void>
}

export async function startFlaky(behind: string): Promise<Flaky> {
  const calls = new Map<string, number>()
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const body = Buffer.concat(parts).toString()
    const { method, id } = JSON.parse(body) as { method: string; id: number }
    calls.set(method, (calls.get(method) ?? 0) + 1)
    await answer(flaky.fault(method), body, id, response)
  })
  const forward = async (body: string) =>
    await (
      await fetch(behind, { method: "POST", body, headers: { "content-type": "application/json" } })
    ).text()
  async function answer(fault: Fault | null, body: string, id: number, response: ServerResponse) {
    const json = (text: string, status = 200) => {
      response.writeHead(status, { "content-type": "application/json" })
      response.end(text)
    }
    if (fault === "lost") return response.destroy()
    if (fault === "late") return undefined
    if (fault === "down") return json("{}", 503)
    if (fault === "busy")
      return json(JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32005, message: "limit" } }))
    if (fault === "garbage") return json("<html>")
    const text = await forward(body)
    return fault === "unheard" ? response.destroy() : json(text)
  }
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve))
  const flaky: Flaky = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    fault: () => null,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
  return flaky
}
