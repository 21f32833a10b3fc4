/**
 * The viewer: whoever was given a receipt, an attestation with its sign-offs, or a proof of a log drops them here, and reads
 * in plain words what is proven, who signed, and what is not said. All is checked in this page; nothing leaves it unless
 * somebody asks an endpoint, and then that gets the receipt's words and proof.
 */
import type { Deployment } from "#src/chain/index.js"
import { CountersignError } from "#src/verifier/index.js"
import type { Pinned } from "./pin.js"
import type { Chain } from "./view-chain.js"
import type { Described } from "./view-describe.js"
import { type Document, mostFiles, type Refused, readDocument, readFile } from "./view-documents.js"
import { cardElement, h } from "./view-dom.js"
import { type Line, line } from "./view-report.js"

export interface Viewer {
  /** A document that somebody opened, dropped or came from the part that proves; `name` is its file's, or says whence. */
  show(document: unknown, name: string): void
}

export function mountViewer(root: HTMLElement, pinned: Pinned): Viewer {
  const state: { documents: readonly (Document | Refused)[]; chain: Chain | null } = {
    documents: [],
    chain: null,
  }
  /** What a contract said of a receipt. */
  const said = new Map<unknown, readonly Line[]>()
  let turn = 0

  const { parts, elements } = frame()
  root.setAttribute("aria-labelledby", "view-title")
  root.append(...elements)

  /** Adds documents; one of the same name takes the other's place. */
  async function add(reading: readonly Promise<Document | Refused>[]): Promise<void> {
    parts.status.textContent = "Reading…"
    const found = await Promise.all(reading)
    const names = new Set(found.map(({ name }) => name))
    state.documents = [...found, ...state.documents.filter(({ name }) => !names.has(name))].slice(
      0,
      mostFiles,
    )
    await render()
  }

  async function render(): Promise<void> {
    const mine = ++turn
    const { documents, chain } = state
    const at = Math.floor(Date.now() / 1000)
    const { describe } = await import("./view-describe.js")
    const described = await describe(documents, {
      pinned: [pinned.verificationKey],
      at,
      ...(chain && { chain: { chainId: chain.chainId, accounts: chain.accounts } }),
    })
    if (mine !== turn) return
    parts.cards.replaceChildren(...described.map(element))
    parts.clear.hidden = documents.length === 0
    parts.ask.hidden = !described.some(asks)
    prefill(documents)
    parts.status.textContent = summary(described)
  }

  function element({ document, card }: Described, i: number): HTMLElement {
    const lines = said.get(document)
    const shown = lines
      ? { ...card, sections: [{ title: "What the contract says", lines }, ...card.sections] }
      : card
    const isOwn = state.documents.includes(document)
    return cardElement(shown, `view-card-${i}`, isOwn ? () => void take(document) : null)
  }
  async function take(document: Document | Refused): Promise<void> {
    state.documents = state.documents.filter((other) => other !== document)
    await render()
    parts.choose.focus()
  }

  /** The address of a verifier out of a file of contracts, where nobody wrote one. */
  function prefill(documents: readonly (Document | Refused)[]): void {
    const found = deployment(documents)?.contracts.CountersignVerifier
    if (found && parts.address.value === "") parts.address.value = found
  }

  async function ask(): Promise<void> {
    const address = parts.address.value.trim()
    parts.answer.textContent = "Asking…"
    parts.askIt.disabled = true
    try {
      const { openChain } = await import("./view-chain.js")
      state.chain?.close()
      state.chain = null
      const chain = await openChain(parts.endpoint.value.trim())
      state.chain = chain
      said.clear()
      const { describe } = await import("./view-describe.js")
      const at = Math.floor(Date.now() / 1000)
      const described = await describe(state.documents, { pinned: [pinned.verificationKey], at, chain })
      if (address !== "" && !/^0x[0-9a-fA-F]{40}$/.test(address))
        throw new CountersignError({
          what: "not an address",
          where: "contract",
          expected: "0x and 40 hexadecimal digits",
        })
      const from = deployment(state.documents)
      const named = from?.contracts.CountersignVerifier === address.toLowerCase() ? from : undefined
      for (const { document, checked } of described) {
        if (document.kind !== "receipt" || !checked?.under) continue
        said.set(
          document,
          address === ""
            ? [line("open", "No contract was named, so none was asked.")]
            : await chain.ask(
                { address, ...(named && { from: named }) },
                document.content,
                checked.under.key,
                checked.verdict,
              ),
        )
      }
      await render()
      parts.answer.textContent = `${chain.host} answers, for chain ${chain.chainId}. What it says is on the cards.`
    } catch (error) {
      said.clear()
      await render()
      parts.answer.textContent =
        error instanceof CountersignError ? `Not asked: ${error.message}` : `${error}`
    } finally {
      parts.askIt.disabled = false
    }
  }

  const files = (list: Iterable<File> | undefined | null) => {
    const all = Array.from(list ?? [])
    if (all.length === 0) return
    void add(all.slice(0, mostFiles).map(readFile))
  }
  parts.choose.addEventListener("click", () => parts.file.click())
  parts.file.addEventListener("change", () => {
    files(parts.file.files)
    parts.file.value = ""
  })
  parts.read.addEventListener("click", () => {
    const { value } = parts.text
    if (value.trim() === "") return
    parts.text.value = ""
    void add([readDocument(value, pasted())])
  })
  parts.clear.addEventListener("click", () => {
    state.documents = []
    said.clear()
    void render()
    parts.choose.focus()
  })
  parts.ask.addEventListener("submit", (event) => {
    event.preventDefault()
    void ask()
  })
  // anywhere on the page while the viewer is open: a file that misses the field must not replace the page
  const over = (event: DragEvent) => {
    if (root.hidden || !event.dataTransfer?.types.includes("Files")) return
    event.preventDefault()
    parts.drop.toggleAttribute("data-over", event.type === "dragover")
    if (event.type === "drop") files(event.dataTransfer.files)
  }
  for (const type of ["dragover", "dragleave", "drop"] as const) addEventListener(type, over)
  addEventListener("paste", (event) => {
    const inField = event.target instanceof HTMLTextAreaElement || event.target instanceof HTMLInputElement
    if (root.hidden || inField || !event.clipboardData) return
    const { files: given } = event.clipboardData
    if (given.length > 0) return files(given)
    const text = event.clipboardData.getData("text")
    if (text.trim() !== "") void add([readDocument(text, pasted())])
  })
  let pastes = 0
  const pasted = () => `pasted text ${++pastes}`

  return { show: (document, name) => void add([readDocument(document, name)]) }
}

/** Whether a chain could say more of a document than the page. */
const asks = ({ document, checked, card }: Described): boolean =>
  (document.kind === "receipt" && checked?.under != null) ||
  document.kind === "contracts" ||
  card.sections.some(({ lines }) =>
    lines.some(({ text }) => text.includes("Name an endpoint") || text.includes("name an endpoint")),
  )

const deployment = (documents: readonly (Document | Refused)[]): Deployment | undefined =>
  documents.find((one): one is Document & { kind: "contracts" } => one.kind === "contracts")?.content

/** How many documents are how, for whoever does not see the cards. */
function summary(described: readonly Described[]): string {
  if (described.length === 0) return ""
  const count = (verdict: string) => described.filter(({ card }) => card.verdict === verdict).length
  const words = [
    [count("holds"), "holds", "hold"],
    [count("caution"), "holds on somebody's word", "hold on somebody's word"],
    [count("open"), "could not be checked", "could not be checked"],
    [count("fails"), "does not hold", "do not hold"],
  ] as const
  const said = words.filter(([n]) => n > 0).map(([n, one, many]) => `${n} ${n === 1 ? one : many}`)
  const all = `${described.length} ${described.length === 1 ? "document" : "documents"}`
  return said.length > 0 ? `${all}: ${said.join(", ")}.` : `${all}.`
}

/** The elements that stay, and those of them that are filled in. */
function frame() {
  const parts = {
    file: h("input", { type: "file", multiple: true, accept: ".json,application/json", hidden: true }),
    choose: h("button", { type: "button", class: "main", id: "view-choose" }, "Choose files"),
    text: h("textarea", {
      id: "view-text",
      rows: "5",
      spellcheck: "false",
      autocapitalize: "off",
      autocomplete: "off",
    }),
    read: h("button", { type: "button", id: "view-read" }, "Read it"),
    clear: h("button", { type: "button", class: "quiet", id: "view-clear", hidden: true }, "Take all away"),
    status: h("p", { id: "view-status", class: "help", role: "status" }),
    cards: h("div", { id: "view-cards" }),
    endpoint: h("input", {
      id: "view-endpoint",
      type: "url",
      required: true,
      autocomplete: "off",
      placeholder: "http://127.0.0.1:8545",
    }),
    address: h("input", { id: "view-address", autocomplete: "off", spellcheck: "false", placeholder: "0x…" }),
    askIt: h("button", { type: "submit", id: "view-ask-it" }, "Ask"),
    answer: h("p", { id: "view-answer", class: "help", role: "status" }),
    drop: h("section", { class: "card drop", "aria-labelledby": "view-drop" }),
    ask: h("form", { class: "card", id: "view-ask", "aria-labelledby": "view-ask-title", hidden: true }),
  }
  parts.drop.append(
    h("h2", { id: "view-drop" }, "Drop documents here"),
    h(
      "p",
      { class: "help" },
      "Receipts, attestations and answers, sign-offs, withdrawals, policies, verification keys, checkpoints and proofs of a log, and the file that says where contracts are. Several at once, in any order: they are looked at together.",
    ),
    h("div", { class: "row" }, parts.choose, parts.file),
    h(
      "details",
      {},
      h("summary", {}, "Or paste one"),
      h("label", { for: "view-text" }, "Its JSON"),
      parts.text,
      h("div", { class: "row" }, parts.read),
    ),
  )
  parts.ask.append(
    h("h2", { id: "view-ask-title" }, "Does a contract agree?"),
    h(
      "p",
      { class: "help" },
      "An endpoint of a chain is asked by this page, which sends it the words and the proof of each receipt here. Signatures of contracts are asked for, too.",
    ),
    h("div", { class: "field" }, h("label", { for: "view-endpoint" }, "Endpoint (JSON-RPC)"), parts.endpoint),
    h(
      "div",
      { class: "field" },
      h("label", { for: "view-address" }, "Address of the verifier contract"),
      parts.address,
    ),
    h("div", { class: "row" }, parts.askIt),
    parts.answer,
  )
  const elements = [
    h("h1", { id: "view-title" }, "What does this document say?"),
    h(
      "p",
      { class: "lead" },
      "Drop what somebody gave you. This page checks it, and says in plain words what is proven, by whom it is signed, and what it does not say. Nothing leaves the page, unless you ask a chain.",
    ),
    parts.drop,
    h("div", { class: "row between" }, parts.status, parts.clear),
    parts.cards,
    parts.ask,
  ]
  return { parts, elements }
}
