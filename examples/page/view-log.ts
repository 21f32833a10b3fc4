/**
 * Proofs and checkpoints of a log, in plain words. A proof leads to a root; whose root that is, a checkpoint says; and
 * that there is no second log beside it, only checkpoints that others kept can show.
 */
import { timeText } from "#src/errors.js"
import {
  checkpointDigest,
  checkpointSigner,
  describeLogProof,
  headsOf,
  logProofProblem,
} from "#src/log/index.js"
import { ofKind, signatureLine, type World } from "./view-claims.js"
import { type DocumentOf, isSame, type Kind, readDocument } from "./view-documents.js"
import { type Card, type Line, line, short, type Verdict, worst } from "./view-report.js"

const unwitnessed = [
  "That what was logged is true: a log takes what has the right form.",
  "That there is no second log that tells otherwise: only checkpoints that others kept, or roots on a chain, show that.",
]

/** Who signed a checkpoint. Nothing names its signer but the signature, so a changed one is somebody else's. */
export async function checkpointCard(
  { name, content }: DocumentOf<"checkpoint">,
  world: World,
): Promise<Card> {
  const signer = checkpointSigner(content)
  const digest = checkpointDigest(content, content.domain)
  const signature = signer ? await signatureLine(digest, content, signer, "account", world) : null
  const isSigned = signature?.verdict === "holds"
  const contracts = !isSigned && content.domain !== "offline" && content.signature.length !== 2 + 2 * 65
  return {
    kind: "Checkpoint of a log",
    name,
    verdict: isSigned ? "caution" : contracts ? "open" : "fails",
    headline: isSigned
      ? `Somebody signed that the log had ${content.size} entries. Compare the signer with one that you know: ${signer}.`
      : contracts
        ? "Not checked: the signature is for a contract to judge, and the checkpoint does not say which."
        : "Not valid: no account signed it.",
    sections: [
      {
        title: "Who signed",
        lines: [
          signature && isSigned
            ? line(
                "caution",
                `Signed by account ${signer}, if it is as it was signed: a changed checkpoint shows another account.`,
              )
            : line(contracts ? "open" : "fails", "The signature is not one of an account."),
          line("plain", `At ${timeText(content.time)}, by the signer's word.`),
        ],
      },
      {
        title: "What it says",
        lines: [
          line("plain", `Log ${content.log}`),
          line("plain", `Entries: ${content.size}`),
          line("plain", `Root ${content.root}`),
        ],
      },
      { title: "What it does not say", lines: unwitnessed.map((text) => line("plain", text)) },
    ],
  }
}

/** A proof that an entry is in a log, or that nothing was taken back. */
export async function logProofCard(document: DocumentOf<"log proof">, world: World): Promise<Card> {
  const { name, content } = document
  const problem = logProofProblem(content)
  const heads = headsOf(content)
  const lines: Line[] = []
  const checkpoints = ofKind(world, "checkpoint")
  const ofLog = checkpoints.filter((checkpoint) => checkpoint.content.log === content.log)
  for (const head of heads) {
    const kept = ofLog.find((one) => one.content.size === head.size && one.content.root === head.root)
    const signer = kept && checkpointSigner(kept.content)
    const signed =
      kept && signer
        ? await signatureLine(
            checkpointDigest(kept.content, kept.content.domain),
            kept.content,
            signer,
            "account",
            world,
          )
        : undefined
    lines.push(
      kept && signed?.verdict === "holds"
        ? line(
            "caution",
            `Root at size ${head.size}: agrees with ${kept.name}, signed by ${signer}. Is that whom you expect?`,
          )
        : kept
          ? line(
              "open",
              `Root at size ${head.size}: agrees with ${kept.name}, whose signature is no account's.`,
            )
          : line(
              "caution",
              `Root at size ${head.size}, ${short(head.root)}: on the word of whoever gave the file. A checkpoint that you kept would show that it is the log's.`,
            ),
    )
  }
  const stray = checkpoints.filter(
    (one) =>
      !(
        one.content.log === content.log &&
        heads.some((h) => h.size === one.content.size && h.root === one.content.root)
      ),
  )
  const proofs = ofKind(world, "log proof")
  const fits = ({ content: { log, size, root } }: DocumentOf<"checkpoint">): boolean =>
    proofs.some(
      (proof) =>
        proof.content.log === log && headsOf(proof.content).some((h) => h.size === size && h.root === root),
    )
  for (const one of stray.filter((x) => !fits(x))) {
    const conflicts = one.content.log === content.log && heads.some(({ size }) => size === one.content.size)
    lines.push(
      one.content.log !== content.log
        ? line("fails", `${one.name} is a checkpoint of another log: ${short(one.content.log)}.`)
        : conflicts
          ? line(
              "fails",
              `${one.name} has another root at size ${one.content.size}: one of the two is not of this log, or the log was made anew.`,
            )
          : line(
              "open",
              `${one.name} is of this log at size ${one.content.size}, which this proof does not reach.`,
            ),
    )
  }
  const entry = "entry" in content ? await entryLines(document, world) : []
  const pinned = problem === null ? worst(lines.map(({ verdict }) => verdict)) : "fails"
  const verdict = worst([pinned, ...entry.map(({ verdict: x }): Verdict => (x === "fails" ? x : "plain"))])
  const what = describeLogProof(content)
  return {
    kind: "entry" in content ? "Proof of an entry of a log" : "Proof that a log begins with what it was",
    name,
    verdict,
    headline:
      problem !== null
        ? `Not valid: ${problem}.`
        : entry.some((x) => x.verdict === "fails")
          ? `The proof holds (${what}), and it is about another document.`
          : verdict === "fails"
            ? `The proof leads to its root (${what}), which is not that of a checkpoint here.`
            : `The proof holds: ${what}.`,
    sections: [
      ...(entry.length > 0 ? [{ title: "The entry", lines: entry }] : []),
      { title: "Roots", lines: [line("plain", `Log ${content.log}`), ...lines] },
      {
        title: "What it does not say",
        lines: [
          ...unwitnessed,
          "When it was logged: a time in an entry is the word of whoever appended it.",
        ].map((text) => line("plain", text)),
      },
    ],
  }
}

/** What an entry is, and which of the other documents, if any. */
async function entryLines({ name, content }: DocumentOf<"log proof">, world: World): Promise<Line[]> {
  if (!("entry" in content)) return []
  const { entry, inclusion } = content
  const said = [
    line(
      "plain",
      `Entry ${inclusion.index} is ${article(entry.type)}${entry.time === undefined ? "" : `, of ${timeText(entry.time)} by the word of who appended it`}.`,
    ),
  ]
  if (entry.type === "failure") said.push(line("plain", `It says: ${`${entry.body.reason}`.slice(0, 300)}`))
  const found = await readDocument(entry.body, name)
  if (found.kind === "refused" || found.kind !== entry.type) return said
  const kinds: Kind[] = entry.type === "attestation" ? ["attestation", "answer"] : [found.kind]
  // those that entries of logs hold are there too, under names that no file has
  const beside = ofKind(world, ...kinds).filter((one) => !one.name.startsWith("entry "))
  const same = beside.find((one) => isSame(one, found))
  if (same) said.push(line("holds", `It is the one in ${same.name}.`))
  else if (beside.length > 0)
    said.push(line("fails", `It is another one than ${beside.map((one) => one.name).join(", ")}.`))
  else said.push(line("plain", "What it says is on a card of its own."))
  return said
}

const article = (type: string): string => (/^[aeiou]/.test(type) ? `an ${type}` : `a ${type}`)
