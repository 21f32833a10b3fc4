/** What the viewer of examples/page says of documents: words and verdicts, without a page. */
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import { type Described, describe as say } from "../../examples/page/view-describe.js"
import {
  type Document,
  mostBytes,
  type Refused,
  readDocument,
  readFile,
} from "../../examples/page/view-documents.js"
import type { Card } from "../../examples/page/view-report.js"
import { addressOf, approver, operator, stranger } from "../support/attestations.js"
import { oracle, pointG1, pointG2 } from "../support/groth16-oracle.js"
import { mirageOracle } from "../support/mirage-oracle.js"
import { uncontributed } from "../support/provenances.js"
import { at, book, documents, layout, markup, policy } from "../support/viewer-documents.js"

type Made = Awaited<ReturnType<typeof documents>>
let made: Made
beforeAll(async () => {
  made = await documents()
})

const read = (files: Record<string, unknown>): Promise<(Document | Refused)[]> =>
  Promise.all(Object.entries(files).map(([name, value]) => readDocument(JSON.stringify(value), name)))
async function cards(
  files: Record<string, unknown>,
  more: Partial<Parameters<typeof say>[1]> = {},
): Promise<Card[]> {
  const described: readonly Described[] = await say(await read(files), { pinned: [], at, ...more })
  return described.map(({ card }) => card)
}
const textOf = ({ headline, sections }: Card): string =>
  [
    headline,
    ...sections.flatMap(({ lines }) => lines.map(({ verdict, text }) => `${verdict}: ${text}`)),
  ].join("\n")
const only = async (...given: Parameters<typeof cards>): Promise<Card> => (await cards(...given))[0]

describe("a receipt", () => {
  it("cannot be checked without a key, and is not called valid", async () => {
    const card = await only({ "r.json": made.receipt })
    expect(card.verdict).toBe("open")
    expect(card.headline).toMatch(/^Not checked: there is no key of model 0x/)
    expect(textOf(card)).toMatch(/It claims, and that is not shown/)
  })

  it("under a key that came with it is worth the word of whoever sent that", async () => {
    const card = await only({ "r.json": made.receipt, "key.json": made.key })
    expect(card.verdict).toBe("caution")
    expect(card.headline).toBe("The proof verifies, under a key that is the word of whoever sent it.")
    expect(textOf(card)).toMatch(/from key.json, the word of whoever sent it/)
    expect(textOf(card)).toMatch(/made by a ceremony of 3 contributors/)
    expect(textOf(card)).toMatch(/from the receipt itself.*nothing here guards/)
    const numbers = card.sections.flatMap((section) => section.numbers ?? [])
    expect(numbers).toHaveLength(1)
    expect(numbers[0].title).toBe(`Output scores [1, 3], largest: element 1 “${markup}”`)
    expect(numbers[0].rows.map(({ name, value, largest }) => [name, value, largest])).toEqual([
      ["0 “seven”", "-6", false],
      [`1 “${markup}”`, "22.5", true],
      ["2 “nine”", "1.5", false],
    ])
  })

  it("under a pinned key is valid, and what it does not say is said", async () => {
    const card = await only({ "r.json": made.receipt, "key.json": made.key }, { pinned: [made.key] })
    expect(card.verdict).toBe("holds")
    expect(textOf(card)).toMatch(/holds: Key 0x[0-9a-f]{64}: pinned in this page/)
    for (const unsaid of [
      /float model/,
      /model is good/,
      /authentic/,
      /Who ran the model, and when/,
      /re-randomise/,
    ])
      expect(
        card.sections.at(-1)?.lines.some(({ text }) => unsaid.test(text)),
        `${unsaid}`,
      ).toBe(true)
  })

  it("under another key of the pinned model says that it is not valid under the page's own", async () => {
    const other = mirageOracle(layout, { seed: "other", model: made.key.model as never })
    const receipt = other.receipt(made.receipt.statement)
    const card = await only({ "r.json": receipt, "other.json": other.key }, { pinned: [made.key] })
    expect(card.verdict).toBe("caution")
    expect(textOf(card)).toMatch(
      /fails: It is not valid under the key of this model that this page has pinned/,
    )
  })

  it.each(["dev", uncontributed] as const)(
    "of a key that somebody can forge for says so: %o",
    async (setup) => {
      const dev = mirageOracle(layout, { setup })
      const receipt = dev.receipt({ ...made.receipt.statement, model: dev.key.model as never })
      const card = await only({ "r.json": receipt }, { pinned: [dev.key] })
      expect(card.verdict).toBe("caution")
      expect(card.headline).toBe("The proof verifies, under a key for which somebody can forge.")
      expect(textOf(card)).toMatch(/That nobody forged it/)
    },
  )

  it("of groth16 is checked, one of plonk only in part", async () => {
    const plain = oracle(layout, {})
    const statement = { ...made.receipt.statement, model: plain.key.model as never }
    const card = await only({ "r.json": plain.receipt(statement), "key.json": plain.key })
    expect(card).toMatchObject({ kind: "Receipt (groth16)", verdict: "caution" })

    const point = (i: number) => pointG1(BigInt(i + 3))
    const named = (all: readonly string[]) => Object.fromEntries(all.map((name, i) => [name, point(i)]))
    const points = { domain: 8, x2: pointG2(7n), ...named("qm ql qr qo qc s1 s2 s3".split(" ")) }
    const key = { ...plain.key, proofSystem: "plonk", setup: "dev", points }
    const evaluations = Object.fromEntries(
      "evalA evalB evalC evalS1 evalS2 evalZw".split(" ").map((name) => [name, "5"]),
    )
    const proof = { ...named("a b c z t1 t2 t3 wxi wxiw".split(" ")), ...evaluations }
    const receipt = { version: 1, proofSystem: "plonk", statement, proof }
    const half = await only({ "r.json": receipt, "key.json": key })
    expect(half).toMatchObject({ kind: "Receipt (plonk)", verdict: "open" })
    expect(half.headline).toMatch(/^Half checked: .*equation of plonk.*`countersign verify` checks it/)
    const moved = await only({
      "r.json": { ...receipt, proof: { ...proof, a: ["1", "1"] } },
      "key.json": key,
    })
    expect(moved).toMatchObject({ verdict: "fails" })
  })
})

describe("claims", () => {
  it("an attestation, its receipt, sign-off and policy are one story", async () => {
    const { receipt, answer, signOff, key } = made
    const files = {
      "r.json": receipt,
      "policy.json": policy,
      "ok.json": signOff,
      "answer.json": answer,
      "key.json": key,
    }
    const [r, p, s, a, k] = await cards(files, { pinned: [key] })
    expect([r, p, s, a, k].map(({ verdict }) => verdict)).toEqual([
      "holds",
      "plain",
      "holds",
      "holds",
      "holds",
    ])
    expect(textOf(r)).toMatch(/holds: Made for the attestation in answer.json. Signed by operator 0x/)
    expect(textOf(r)).toMatch(/holds: Context 0x[0-9a-f]{64}: the digest of the attestation in answer.json/)
    expect(s.headline).toBe(
      `Approver ${addressOf(approver)} approves attestation ${signOff.attestation.slice(0, 10)}…${signOff.attestation.slice(-8)}.`,
    )
    expect(a.headline).toMatch(/signed this answer, and answers for it. That is a claim, not a proof.$/)
    for (const said of [
      /holds: Signed by the operator/,
      /holds: Proven by r.json/,
      /within the policy's limits/,
      /Everybody whom the policy names has approved it/,
    ])
      expect(textOf(a)).toMatch(said)
    expect(p.headline).toMatch(/“Grades”/)
  })

  it("is the same in any order", async () => {
    const { receipt, answer, signOff, key } = made
    const files = [
      ["r", receipt],
      ["a", answer],
      ["s", signOff],
      ["k", key],
      ["p", policy],
    ] as const
    const all = async (order: typeof files | (typeof files)[number][]) =>
      (await cards(Object.fromEntries(order))).toSorted((x, y) => (x.name < y.name ? -1 : 1))
    expect(await all([...files].reverse())).toEqual(await all(files))
  })

  it("names wrong combinations", async () => {
    const other = await documents({ scores: ["1", "2", "3"] })
    const { receipt, answer, signOff, key } = made
    const [r, a, s] = await cards({
      "r.json": receipt,
      "a.json": other.answer,
      "s.json": signOff,
      "key.json": key,
    })
    expect(r.verdict).toBe("fails")
    expect(r.headline).toMatch(/^The proof verifies, .* It does not belong to what lies beside it\.$/)
    expect(textOf(r)).toMatch(
      /fails: Not the proof of a.json: made for context 0x\w+…\w+, and that attestation's digest is/,
    )
    expect(textOf(a)).toMatch(/fails: r.json is not its proof/)
    expect(s).toMatchObject({ verdict: "fails" })
    expect(textOf(s)).toMatch(/fails: It is about another attestation \(0x[0-9a-f]{64}\) than a.json/)
    // with its own attestation beside that, each belongs somewhere
    const [again, , ok] = await cards({
      "r.json": receipt,
      "a.json": other.answer,
      "s.json": signOff,
      "b.json": answer,
      "key.json": key,
    })
    expect(textOf(again)).not.toMatch(/Not the proof/)
    expect(ok.verdict).toBe("holds")
    const [wrongPolicy] = await cards({
      "a.json": answer,
      "p.json": { ...policy, retentionDays: 5 },
      "key.json": key,
    })
    expect(textOf(wrongPolicy)).toMatch(/fails: p.json: It was not made under this policy/)
  })

  it("an answer whose statement is another one than was signed is not valid", async () => {
    const { answer, key } = made
    const output = { visibility: "public", values: { scores: ["-12", "46", "3"] } }
    const card = await only({
      "a.json": { ...answer, statement: { ...answer.statement, output } },
      "key.json": key,
    })
    expect(card).toMatchObject({ verdict: "fails" })
    expect(card.headline).toMatch(/^Not valid: the answer is not what was signed: its output is/)
  })

  it("an answer is bound to its signature by the key alone, so without that it is open", async () => {
    const { answer } = made
    const card = await only({ "a.json": answer })
    expect(card).toMatchObject({ verdict: "open" })
    expect(card.headline).toMatch(
      /signed an attestation; whether of this answer, the key 0x\w+…\w+ would tell/,
    )
  })

  it("are over when they say so, taken back, or another's", async () => {
    const { answer, signOff, withdrawal, attestation } = made
    const late = await cards({ "a.json": answer, "s.json": signOff }, { at: at + 1_000_000 })
    for (const card of late) expect(textOf(card)).toMatch(/fails: It is over/)
    expect(late.map(({ verdict }) => verdict)).toEqual(["fails", "fails"])
    const [s, w] = await cards({ "s.json": signOff, "w.json": withdrawal })
    expect([s.verdict, w.verdict]).toEqual(["fails", "holds"])
    expect(s.headline).toMatch(/^Taken back: approver/)
    expect(await only({ "w.json": withdrawal })).toMatchObject({ verdict: "open" })
    const forged = await only({ "a.json": { ...attestation, operator: addressOf(stranger) } })
    expect(forged).toMatchObject({
      verdict: "fails",
      headline: "Not valid: the signature is not the operator's.",
    })
  })

  it("signatures that only a contract can have made are open until its chain is asked", async () => {
    const { attestation } = await documents({ domain: { chainId: 31337, verifyingContract: book } })
    const ofContract = { ...attestation, signature: `0x${"ab".repeat(70)}` }
    const card = await only({ "a.json": ofContract })
    expect(card).toMatchObject({
      verdict: "open",
      headline: "Not checked: the signature is for a contract to judge.",
    })
    const answers = (word: string) => ({ getCode: async () => "0x60", call: async () => word })
    const chain = (word: string, chainId = 31337) => ({ chain: { chainId, accounts: answers(word) } })
    const yes = await only({ "a.json": ofContract }, chain(`0x1626ba7e${"0".repeat(56)}`))
    expect(yes.verdict).toBe("holds")
    expect((await only({ "a.json": ofContract }, chain("0x"))).verdict).toBe("fails")
    expect((await only({ "a.json": ofContract }, chain(`0x1626ba7e${"0".repeat(56)}`, 1))).verdict).toBe(
      "open",
    )
    expect((await only({ "a.json": { ...made.attestation, signature: ofContract.signature } })).verdict).toBe(
      "fails",
    )
  })
})

describe("a log", () => {
  it("proofs hold on somebody's word, or a checkpoint's", async () => {
    const { inclusions, consistency, checkpoint, before } = made
    const alone = await only({ "p.json": inclusions[0] })
    expect(alone).toMatchObject({
      verdict: "caution",
      headline: "The proof holds: entry 1, attestation, is in the log.",
    })
    expect(textOf(alone)).toMatch(/on the word of whoever gave the file/)
    const [p, c, now] = await cards({
      "p.json": inclusions[0],
      "c.json": consistency,
      "now.json": checkpoint,
      "then.json": before,
    })
    expect(textOf(p)).toMatch(new RegExp(`agrees with now.json, signed by ${addressOf(operator)}`))
    expect(c.headline).toBe("The proof holds: nothing was taken back from size 2 to 5.")
    expect(textOf(c)).toMatch(/agrees with then.json[\s\S]*agrees with now.json/)
    expect(now.headline).toMatch(/Somebody signed that the log had 5 entries/)
    for (const card of [p, c, now]) expect(textOf(card)).toMatch(/no second log/)
  })

  it("an entry has a card of its own, unless it is dropped beside", async () => {
    const { inclusions, answer, signOff, key } = made
    const [, entry] = await cards({ "p.json": inclusions[1] })
    expect(entry).toMatchObject({ kind: "Sign-off", name: "entry 2 of the log, in p.json", verdict: "holds" })
    const beside = await cards({ "p.json": inclusions[0], "a.json": answer, "key.json": key })
    expect(beside).toHaveLength(3)
    expect(textOf(beside[0])).toMatch(/holds: It is the one in a.json/)
    const wrong = await cards({
      "p.json": inclusions[0],
      "a.json": (await documents({ scores: ["1", "2", "3"] })).answer,
    })
    expect(wrong[0].headline).toMatch(/and it is about another document/)
    expect(wrong[0].verdict).toBe("fails")
    expect(await only({ "p.json": inclusions[1], "s.json": signOff })).toMatchObject({ verdict: "caution" })
  })

  it("other logs, roots and entries are told", async () => {
    const { inclusions, checkpoint } = made
    const other = await documents()
    const strayed = await only({ "p.json": inclusions[0], "c.json": other.checkpoint })
    expect(textOf(strayed)).toMatch(/fails: c.json is a checkpoint of another log/)
    const anew = await only({ "p.json": inclusions[0], "c.json": { ...checkpoint, root: made.before.root } })
    expect(textOf(anew)).toMatch(/fails: c.json has another root at size 5/)
    const moved = { ...inclusions[0], inclusion: { ...inclusions[0].inclusion, index: 2 } }
    expect(await only({ "p.json": moved })).toMatchObject({
      verdict: "fails",
      headline: "Not valid: the proof does not lead to its root.",
    })
  })
})

describe("what is refused", () => {
  it.each([
    ["no JSON", "zkey\u0001", /is not JSON/],
    ["a list", "[1]", /no document of Countersign/],
    ["something else", '{"a":1}', /no document that the viewer knows/],
    ["an input", '{"inputs":{"x":[1]}}', /an input of a model/],
    ["a name twice", '{"statement":1,"statement":2}', /occurs twice/],
    ["nested without end", "[".repeat(100_000), /nested deeper/],
    [
      "another field",
      '{"statement":{},"proof":{},"version":1,"proofSystem":"mirage","x":1}',
      /unknown field "x"/,
    ],
    [
      "a receipt of another system",
      '{"statement":{},"proof":{},"version":1,"proofSystem":"stark"}',
      /proofSystem: unsupported value/,
    ],
  ])("%s", async (_, text, reason) => {
    const found = await readDocument(text, "f.json")
    expect(found.kind).toBe("refused")
    expect((found as Refused).reason).toMatch(reason)
  })

  it("a file that is too large is not opened", async () => {
    const text = () => Promise.reject(new Error("opened"))
    const found = await readFile({ name: "big.json", size: mostBytes + 1, text })
    expect(found).toMatchObject({ kind: "refused", reason: expect.stringMatching(/It was not opened/) })
    expect(await readFile({ name: "folder", size: 3, text })).toMatchObject({
      reason: "The browser could not read it.",
    })
    expect(await readFile({ name: "empty", size: 0, text })).toMatchObject({ kind: "refused" })
  })
})

/** Every leaf of a document, by its path. */
function leaves(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path]
  return Object.entries(value).flatMap(([name, child]) => leaves(child, [...path, name]))
}
/** The document with another leaf there. */
function changed(
  value: unknown,
  [name, ...rest]: readonly string[],
  to: (leaf: unknown) => unknown,
): unknown {
  if (name === undefined) return to(value)
  const copy: Record<string, unknown> = Array.isArray(value)
    ? ([...value] as never)
    : { ...(value as object) }
  copy[name] = changed(copy[name], rest, to)
  return copy
}
/** Another value of the form that a leaf has, most times. */
const mutation = fc
  .tuple(fc.nat(), fc.integer({ min: 1, max: 15 }), fc.nat(3))
  .map(([place, by, how]) => (leaf: unknown) => {
    if (how === 3) return null
    if (typeof leaf === "number") return leaf + by
    if (typeof leaf !== "string" || leaf.length === 0) return "x"
    const i = place % leaf.length
    const hex = Number.parseInt(leaf[i], 16)
    const digit =
      Number.isNaN(hex) || leaf.startsWith("0x") === i < 2
        ? "7"
        : ((hex + by) % (leaf.startsWith("0x") ? 16 : 10)).toString(16)
    return leaf.slice(0, i) + (digit === leaf[i] ? "" : digit) + leaf.slice(i + 1)
  })

describe("a document of which anything is changed is never called valid", () => {
  const kinds = { receipt: 60, answer: 60, attestation: 60, signOff: 60 } as const
  it.each(Object.entries(kinds))("%s", async (name, numRuns) => {
    const document = made[name as keyof typeof kinds]
    // beside it what makes the unchanged one valid
    const given = { pinned: [made.key] }
    expect((await only({ "d.json": document }, given)).verdict).toBe("holds")
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...leaves(document)), mutation, async (path, to) => {
        const mutant = changed(document, path, to)
        fc.pre(JSON.stringify(mutant) !== JSON.stringify(document))
        expect(["fails", "open"], path.join(".")).toContain((await only({ "d.json": mutant }, given)).verdict)
      }),
      { numRuns },
    )
  })

  it("a checkpoint is another account's, an inclusion proof does not hold", async () => {
    const { checkpoint, inclusions } = made
    const own = addressOf(operator)
    expect((await only({ "c.json": checkpoint })).headline).toContain(own)
    for (const path of leaves(checkpoint))
      await fc.assert(
        fc.asyncProperty(mutation, async (to) => {
          const mutant = changed(checkpoint, path, to)
          fc.pre(JSON.stringify(mutant) !== JSON.stringify(checkpoint))
          expect((await only({ "c.json": mutant })).headline).not.toContain(own)
        }),
        { numRuns: 3 },
      )
    const proof = inclusions[1]
    // name and size are not in a root: a checkpoint is what tells them
    const grown = { ...proof, inclusion: { ...proof.inclusion, size: 6 } }
    expect(textOf(await only({ "p.json": grown, "c.json": checkpoint }))).not.toMatch(/agrees/)
    const inner = leaves(proof).filter((path) => !["log", "inclusion,size"].includes(`${path}`))
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...inner), mutation, async (path, to) => {
        const mutant = changed(proof, path, to)
        fc.pre(JSON.stringify(mutant) !== JSON.stringify(proof))
        expect((await only({ "p.json": mutant })).verdict, path.join(".")).toBe("fails")
      }),
      { numRuns: 30 },
    )
  })
})
