/** The viewer of receipts; it is yet to come. */
import type { Pinned } from "./pin.js"

export interface Viewer {
  /** A document that somebody opened, dropped or came from the part that proves; `name` is its file's, or says whence. */
  show(document: unknown, name: string): void
}

export function mountViewer(root: HTMLElement, pinned: Pinned): Viewer {
  const text = document.createElement("pre")
  root.append(text)
  return {
    show(document, name) {
      text.textContent = `${name}, to be verified with key ${pinned.keyDigest}\n${JSON.stringify(document, null, 2)}`
    },
  }
}
