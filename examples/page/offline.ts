/**
 * The page without a network: a service worker (sw.ts) keeps all its files. It also gives them the headers that threads take,
 * so that a server which cannot send these has an isolated page from the second visit on.
 */
import { byId } from "./page.js"

export async function keepOffline(): Promise<void> {
  const { serviceWorker } = navigator
  // there is none without a secure connection
  if (!serviceWorker) return
  const hadOne = serviceWorker.controller !== null
  const newer = byId("newer")
  let waiting: ServiceWorker | undefined
  let isWanted = false
  byId("reload-newer").addEventListener("click", () => {
    isWanted = true
    if (waiting) waiting.postMessage("take over")
    else location.reload()
  })
  serviceWorker.addEventListener("controllerchange", () => {
    waiting = undefined
    if (isWanted) location.reload()
    else if (hadOne) newer.hidden = false
    else offerThreads()
  })
  const offer = (next: ServiceWorker) => {
    waiting = next
    newer.hidden = false
  }
  try {
    const registration = await serviceWorker.register("./sw.js")
    if (registration.waiting) offer(registration.waiting)
    registration.addEventListener("updatefound", () => {
      const { installing } = registration
      installing?.addEventListener("statechange", () => {
        if (installing.state === "installed" && serviceWorker.controller) offer(installing)
      })
    })
    await serviceWorker.ready
    byId("offline").textContent = "This page is kept on this device: it works without a network."
    offerThreads()
  } catch (error) {
    byId("offline").textContent =
      `This page is not kept for use without a network: ${error instanceof Error ? error.message : error}`
  }
}

/** A page that is not isolated becomes so by a reload through the service worker; nobody's drawing is lost for that unasked. */
function offerThreads(): void {
  if (crossOriginIsolated || !navigator.serviceWorker.controller) return
  const button = byId("reload-threads")
  button.hidden = false
  button.onclick = () => location.reload()
}
