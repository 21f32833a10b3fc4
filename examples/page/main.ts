/** Wires the parts of the page. */
import { pinned } from "./pinned.js"
import { mountViewer, type Viewer } from "./view.js"

const element = (id: string) => document.getElementById(id) as HTMLElement
let viewer: Viewer | undefined

/** Shows the part that the address names. */
function turn(): void {
  const isView = location.hash === "#view"
  element("prove").hidden = isView
  element("view").hidden = !isView
  element("to-prove").toggleAttribute("aria-current", !isView)
  element("to-view").toggleAttribute("aria-current", isView)
  if (isView) viewer ??= mountViewer(element("view"), pinned)
}
addEventListener("hashchange", turn)
turn()
