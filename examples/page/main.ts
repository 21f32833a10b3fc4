/** Wires the parts of the page: what is drawn is read at once, and proven and verified when asked for. */
import { describeProvenance } from "#src/verifier/index.js"
import { fromBytes } from "./digit.js"
import { keepOffline } from "./offline.js"
import { byId, randomBytes32 } from "./page.js"
import { pinned } from "./pinned.js"
import { PageProver, threads, troubleOf } from "./prover.js"
import { prepareReceipt, showReceipt } from "./receipt.js"
import { reading, showScores } from "./scores.js"
import { type Drawing, paintGreys, Sheet } from "./sheet.js"
import type { Viewer } from "./view.js"

const [proveIt, cancel] = [byId<HTMLButtonElement>("prove-it"), byId<HTMLButtonElement>("cancel")]
const [undo, clear] = [byId<HTMLButtonElement>("undo"), byId<HTMLButtonElement>("clear")]
const small = byId<HTMLCanvasElement>("small")
const prover = new PageProver()
/** How far it has come: the model answers before proofs can be made. */
let state: "loading" | "answers" | "proves" | "broken" = "loading"
let isProving = false

/** Something that keeps the page from working; if it only keeps it from proofs, the model still answers. */
function tell(error: unknown): void {
  if (state !== "answers") {
    state = "broken"
    byId("sees").textContent = "The page cannot prove here"
  }
  const trouble = byId("trouble")
  trouble.textContent = troubleOf(error)
  trouble.hidden = false
  byId("loading").hidden = true
  ready()
}

// ------------------------------------------------------------------------- two parts

let viewer: Promise<Viewer> | undefined
/** The viewer is fetched when somebody looks. */
const viewing = (): Promise<Viewer> =>
  (viewer ??= import("./view.js").then(({ mountViewer }) => mountViewer(byId("view"), pinned)))

/** Shows the part that the address names. */
function turn(): void {
  const isView = location.hash === "#view"
  byId("prove").hidden = isView
  byId("view").hidden = !isView
  for (const [id, isHere] of [
    ["to-prove", !isView],
    ["to-view", isView],
  ] as const)
    if (isHere) byId(id).setAttribute("aria-current", "page")
    else byId(id).removeAttribute("aria-current")
  if (isView) viewing().catch(tell)
}
addEventListener("hashchange", () => {
  // an address may also name a place within a part
  if (!["", "#prove", "#view"].includes(location.hash)) return
  turn()
  scrollTo(0, 0)
})

// --------------------------------------------------------------------- what is drawn

let drawing: Drawing
/** One run at a time; what came meanwhile is run after it. */
let [isRunning, isStale] = [false, false]

/** What the model says of the drawing, as soon as it can. */
async function look(): Promise<void> {
  if (isRunning) {
    isStale = true
    return
  }
  if (state === "loading" || state === "broken") return
  const looked = drawing
  const list = byId("logits")
  if (looked.isEmpty) {
    showScores(list)
    byId("sees").textContent = "Draw something, or take a digit"
    byId("sees").dataset.state = "empty"
    return
  }
  isRunning = true
  try {
    const scores = await prover.run(looked.greys)
    showScores(list, scores)
    const { words } = reading(scores)
    const sees = byId("sees")
    if (sees.textContent !== words) sees.textContent = words
    sees.dataset.state = "sees"
  } catch (error) {
    tell(error)
  }
  isRunning = false
  if (isStale) {
    isStale = false
    await look()
  }
}

/** What can be pressed. */
function ready(): void {
  undo.disabled = clear.disabled = drawing.isEmpty
  proveIt.disabled = state !== "proves" || drawing.isEmpty
  // it keeps the focus while it works
  proveIt.ariaDisabled = isProving ? "true" : null
  cancel.hidden = byId("proving").hidden = !isProving
}

function changed(given: Drawing): void {
  drawing = given
  paintGreys(small, drawing.greys)
  small.ariaLabel = drawing.says
  byId("sheet-hint").hidden = !drawing.isEmpty
  ready()
  void look()
}

const sheet = new Sheet(byId<HTMLCanvasElement>("sheet"), {
  onChange: changed,
  onPen: (words) => {
    byId("sheet-says").textContent = words
  },
})
undo.addEventListener("click", () => sheet.undo())
clear.addEventListener("click", () => {
  sheet.clear()
  byId("sheet").focus()
})
for (const { label, pixels } of pinned.samples) {
  const [button, picture] = [document.createElement("button"), document.createElement("canvas")]
  picture.width = picture.height = small.width
  button.type = "button"
  button.ariaLabel = `A handwritten ${label}`
  button.append(picture)
  byId("samples").querySelector("div")?.append(button)
  const greys = fromBytes(pixels)
  paintGreys(picture, greys)
  button.addEventListener("click", () => sheet.take(greys, `A handwritten ${label}, as MNIST has it`))
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paintGreys(picture, greys))
}
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => paintGreys(small, drawing.greys))

// ------------------------------------------------------------------------- its proof

const [bar, says] = [byId<HTMLProgressElement>("bar"), byId("prove-says")]

async function prove(): Promise<void> {
  if (isProving || state !== "proves" || drawing.isEmpty) return
  isProving = true
  bar.value = 0
  says.textContent = "Proving…"
  ready()
  try {
    const proven = await prover.prove(drawing.greys, randomBytes32(), (stage, done) => {
      bar.value = stage === "witness" ? 0.1 * done : 0.1 + 0.9 * done
    })
    const verifyMs = showReceipt(pinned, proven, threads())
    says.textContent = `Proven in ${Math.round(proven.ms)} ms, verified in ${Math.round(verifyMs)} ms. The receipt is below.`
    const rest = matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth"
    if (document.activeElement === proveIt || document.activeElement === document.body)
      byId("receipt").scrollIntoView({ block: "nearest", behavior: rest })
  } catch (error) {
    const { name } = error as Error
    says.textContent =
      name === "AbortError" ? "Cancelled: nothing was proven." : `Not proven: ${troubleOf(error)}`
  }
  isProving = false
  if (document.activeElement === cancel) proveIt.focus()
  ready()
}
const stop = () => {
  if (isProving) void prover.cancel()
}
proveIt.addEventListener("click", () => void prove())
cancel.addEventListener("click", stop)
addEventListener("keydown", ({ key }) => {
  if (key === "Escape") stop()
})

// ----------------------------------------------------------------------- from the start

prepareReceipt({
  pinned,
  openInViewer: async (document) => {
    location.hash = "#view"
    const { show } = await viewing()
    show(document, "the receipt of this page")
  },
})

function describe(): void {
  const short = (digest: string) => `${digest.slice(0, 10)}…${digest.slice(-8)}`
  for (const [id, digest] of [
    ["key-digest", pinned.keyDigest],
    ["model-digest", pinned.model],
  ]) {
    byId(id).textContent = short(digest)
    byId(id).title = digest
  }
  byId("made-by").textContent = describeProvenance(pinned.verificationKey.setup)
  const count = threads()
  byId("threads").textContent = crossOriginIsolated
    ? `Proofs run on ${count === 1 ? "one thread" : `${count} threads`}.`
    : "Proofs run on one thread: this server did not isolate the page from others, so threads may not share memory. All works, only slower."
}

async function start(): Promise<void> {
  describe()
  changed(sheet.drawing)
  showScores(byId("logits"))
  turn()
  const onStage = (words: string, done: number) => {
    byId("load-says").textContent = words
    byId<HTMLProgressElement>("load-bar").value = done
  }
  try {
    await prover.load(pinned, document.baseURI, onStage)
    state = "answers"
    await look()
    await prover.open(onStage)
    state = "proves"
    byId("loading").hidden = true
    ready()
  } catch (error) {
    tell(error)
  }
  await keepOffline()
}
void start()
