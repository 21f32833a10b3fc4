/**
 * The receipt of a proof: verified here against what this page pins, open for changes, and as the call that a contract takes.
 * What is expected comes from the code of this page and from this visit, never from the receipt.
 */
import { explain, type Receipt, registrationCall, verificationCall } from "#src/verifier/index.js"
import { byId, copyText, facts } from "./page.js"
import type { Pinned } from "./pin.js"
import type { Proven } from "./prover.js"
import { scoreWords } from "./scores.js"

const button = (id: string) => byId<HTMLButtonElement>(id)
const text = byId<HTMLTextAreaElement>("text")
const data = byId<HTMLTextAreaElement>("calldata")
/** After the last key, before what is typed is verified. */
const pauseMs = 200

interface Shown {
  readonly receipt: Receipt
  readonly original: string
}
let shown: Shown | undefined
let pause: number | undefined

export interface ReceiptOptions {
  readonly pinned: Pinned
  readonly openInViewer: (document: unknown) => void
}

const allowDev = true

/** Verifies what stands in the text area, and says it. @returns milliseconds of the verification */
function judge({ verificationKey, model }: Pinned): number {
  if (!shown) return 0
  const { context } = shown.receipt.statement
  const start = performance.now()
  // the context was drawn here, before the proof
  const reason = explain(text.value, { verificationKey, model, context, allowDev })
  const ms = performance.now() - start
  const isOriginal = text.value === shown.original
  const verdict = byId("verdict")
  const title = document.createElement("strong")
  title.textContent = reason === null ? "Valid" : "Refused"
  const because =
    reason === null
      ? isOriginal
        ? `Verified on this page in ${Math.round(ms)} ms, against the key and the model that are part of its code`
        : "What you changed does not change what it says: the proof still holds"
      : `${reason[0].toUpperCase()}${reason.slice(1)}`
  verdict.dataset.valid = String(reason === null)
  verdict.replaceChildren(title, because)
  button("restore").disabled = isOriginal
  return ms
}

/** Wires the controls, once. */
export function prepareReceipt({ pinned, openInViewer }: ReceiptOptions): void {
  text.addEventListener("input", () => {
    clearTimeout(pause)
    pause = window.setTimeout(() => judge(pinned), pauseMs)
  })
  const rewrite = (content: string) => {
    text.value = content
    judge(pinned)
  }
  button("tamper").addEventListener("click", () => {
    if (shown) rewrite(tampered(text.value) ?? tampered(shown.original) ?? text.value)
  })
  button("restore").addEventListener("click", () => {
    if (!shown) return
    rewrite(shown.original)
    button("tamper").focus()
  })
  button("copy").addEventListener("click", () => copyText(text, byId("copied")))
  button("copy-call").addEventListener("click", () => copyText(data, byId("copied-call")))
  button("download").addEventListener("click", () => {
    const link = document.createElement("a")
    link.href = URL.createObjectURL(new Blob([text.value], { type: "application/json" }))
    link.download = "receipt.json"
    link.click()
    URL.revokeObjectURL(link.href)
  })
  button("open-view").addEventListener("click", () => {
    let document: unknown = text.value
    try {
      document = JSON.parse(text.value)
    } catch {
      // the viewer says that it is none
    }
    openInViewer(document)
  })
}

/** The receipt with one score more by an integer step; undefined for a text that is no receipt. */
function tampered(content: string): string | undefined {
  try {
    const receipt = JSON.parse(content)
    const [scores] = Object.values(receipt.statement.output.values) as string[][]
    const best = scores.reduce((at, score, i) => (BigInt(score) > BigInt(scores[at]) ? i : at), 0)
    scores[best] = String(BigInt(scores[best]) + 1n)
    return JSON.stringify(receipt, null, 2)
  } catch {
    return undefined
  }
}

/** Shows a proof that was just made. @returns milliseconds of its verification */
export function showReceipt(pinned: Pinned, { receipt, scores, ms }: Proven, threads: number): number {
  const original = JSON.stringify(receipt, null, 2)
  shown = { receipt, original }
  text.value = original
  byId("receipt").hidden = false
  const verifyMs = judge(pinned)
  facts(byId("facts"), [
    ["Says", scoreWords(scores)],
    ["Of", "a drawing that stays with you: the receipt does not contain it"],
    ["Model", receipt.statement.model],
    ["Key", pinned.keyDigest],
    ["Context", `${receipt.statement.context}, drawn on this page for this proof alone`],
    ["Made in", `${Math.round(ms)} ms, on ${threads === 1 ? "one thread" : `${threads} threads`}`],
  ])
  const call = verificationCall(receipt, pinned.verificationKey, { allowDev })
  const registration = registrationCall(pinned.verificationKey, { allowDev })
  facts(byId("call-facts"), [
    ["Contract", "CountersignVerifier"],
    ["Function", call.function],
    ["Registers the key", `${registration.function}, of ${(registration.data.length - 2) / 2} bytes`],
  ])
  data.value = call.data
  byId("copied").textContent = ""
  return verifyMs
}
