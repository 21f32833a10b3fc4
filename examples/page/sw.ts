/**
 * The service worker of the page: keeps all its files, each only if it is the one that the build made, and answers with
 * those, so that the page works without a network. A new version is fetched whole beside the old one, whose files are taken
 * over where they are the same, and begins when the old one is left or the page asks. Every answer has the headers of an
 * isolated page, whether the server can send them or not.
 */

/** Written by the build: SHA-256 by address, relative to this file. "" is the page. */
declare const FILES: Readonly<Record<string, string>>
declare const VERSION: string

/** What this file uses of a service worker; the types of pages lack it. */
interface Extended extends Event {
  waitUntil(work: Promise<unknown>): void
}
interface Fetched extends Extended {
  readonly request: Request
  respondWith(response: Promise<Response>): void
}
interface Scope {
  readonly registration: { readonly scope: string }
  readonly clients: { claim(): Promise<void> }
  skipWaiting(): Promise<void>
  addEventListener(type: "install" | "activate", listener: (event: Extended) => void): void
  addEventListener(type: "fetch", listener: (event: Fetched) => void): void
  addEventListener(type: "message", listener: (event: MessageEvent) => void): void
}
const worker = globalThis as unknown as Scope

const { scope } = worker.registration
/** Caches of one origin are shared by all that is hosted there. */
const family = `countersign page ${scope} `
const cacheName = family + VERSION

const isolation = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Resource-Policy": "same-origin",
}

async function sha256(response: Response): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await response.arrayBuffer())
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, "0")).join("")
}

/** Keeps a file, from an older version or the server. @throws Error if the server has another */
async function keep(cache: Cache, path: string, digest: string): Promise<void> {
  const address = new URL(path, scope).href
  const isFile = async (response: Response | undefined): Promise<boolean> =>
    response?.ok === true && (await sha256(response.clone())) === digest
  // whatever has its digest in its name may come from the browser's own cache
  const asked = [
    () => caches.match(address),
    () => fetch(address, { cache: path === "" ? "reload" : "default" }),
    () => fetch(address, { cache: "reload" }),
  ]
  for (const ask of asked) {
    const response = await ask()
    if (response && (await isFile(response))) return cache.put(address, response)
  }
  throw new Error(`${address} is not the file of this version`)
}

worker.addEventListener("install", (event) => {
  event.waitUntil(
    caches.open(cacheName).then(async (cache) => {
      await Promise.all(Object.entries(FILES).map(([path, digest]) => keep(cache, path, digest)))
    }),
  )
})

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches.keys().then(async (names) => {
      const old = names.filter((name) => name.startsWith(family) && name !== cacheName)
      await Promise.all(old.map((name) => caches.delete(name)))
      await worker.clients.claim()
    }),
  )
})

worker.addEventListener("message", ({ data }) => {
  if (data === "take over") void worker.skipWaiting()
})

worker.addEventListener("fetch", (event) => {
  const { request } = event
  const { origin, pathname } = new URL(request.url)
  const address = (origin + pathname).replace(/\/index\.html$/, "/")
  // whatever else is hosted below this page is none of its business
  const isOurs = address.startsWith(scope) && Object.hasOwn(FILES, address.slice(scope.length))
  if (request.method === "GET" && isOurs) event.respondWith(answer(request, address))
})

async function answer(request: Request, address: string): Promise<Response> {
  const cache = await caches.open(cacheName)
  const response = (await cache.match(address)) ?? (await fetch(request))
  const headers = new Headers(response.headers)
  for (const [name, value] of Object.entries(isolation)) headers.set(name, value)
  const { status, statusText } = response
  return new Response(response.body, { status, statusText, headers })
}
