/**
 * Who answers for it: every end that a paid answer can have, on a local chain. Each chapter says what is to happen before
 * anything is sent; what happened is read from the chain, and a chapter fails where it is something else.
 *
 *     npm run story [-- --ptau FILE]        npm run -s story -- --json
 *
 * Without a file of powers of tau it makes one for the test, by snarkjs, in seconds to a minute. Exit code 1 if a chapter
 * failed.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { startChain } from "./chain.js"
import {
  answerWindow,
  challengeWindow,
  costs,
  damages,
  deliverWithin,
  openStage,
  price,
  type Stage,
  testPowers,
} from "./stage.js"

/** A chapter: what is to happen, and what does. */
interface Chapter {
  readonly name: string
  readonly expected: string
  tell(stage: Stage): Promise<string>
}
interface Told {
  readonly name: string
  readonly expected: string
  readonly happened: string
  /** Of all its transactions. */
  readonly gas: number
}

/** Amounts are in thousandths of an ETH. */
const chapters: readonly Chapter[] = [
  {
    name: "not delivered in time",
    expected: "Expired: client 10",
    async tell({ request, pass, settle, endOf }) {
      const terms = await request()
      await pass(deliverWithin + 1)
      await settle(terms)
      return await endOf(terms)
    },
  },
  {
    name: "nobody challenges",
    expected: "Unchallenged: operator 62",
    async tell({ request, deliver, pass, settle, endOf }) {
      const { terms } = await deliver(await request())
      await pass(challengeWindow + 1)
      await settle(terms)
      return await endOf(terms)
    },
  },
  {
    name: "the client is silent",
    expected: "Unchallenged: operator 62",
    async tell({ people, request, deliver, pass, settle, endOf }) {
      const { terms } = await deliver(await request())
      await pass(challengeWindow + 1)
      await settle(terms, people.operator)
      return await endOf(terms)
    },
  },
  {
    name: "proven, unchallenged",
    expected: "Proven: operator 62",
    async tell({ request, deliver, answer, endOf }) {
      const made = await deliver(await request())
      await answer(made)
      return await endOf(made.terms)
    },
  },
  {
    name: "challenged, and proven",
    expected: "Proven: operator 64",
    async tell({ request, deliver, challenge, answer, endOf }) {
      const made = await deliver(await request())
      await challenge(made)
      await answer(made)
      return await endOf(made.terms)
    },
  },
  {
    name: "challenged, and silent",
    expected: "Silent: client 60, challenger 4",
    async tell({ people, lie, request, deliver, challenge, pass, settle, endOf }) {
      const made = await deliver(await request(), people.operator, lie)
      await challenge(made)
      await pass(answerWindow + 1)
      await settle(made.terms)
      return await endOf(made.terms)
    },
  },
  {
    name: "another output proven",
    expected: "Convicted: client 60, challenger 2, prover 2",
    async tell({ people, lie, request, deliver, challenge, convict, endOf }) {
      const made = await deliver(await request(), people.operator, lie)
      await challenge(made)
      await convict(made)
      return await endOf(made.terms)
    },
  },
  {
    name: "two outputs signed",
    expected: "Equivocated: client 60, challenger 2, filer 2",
    async tell({ people, lie, request, deliver, challenge, sign, file, endOf }) {
      const made = await deliver(await request(), people.operator, lie)
      await challenge(made)
      await file(made, await sign(made.terms))
      return await endOf(made.terms)
    },
  },
  {
    name: "recalled, unchallenged",
    expected: "Recalled: client 10, operator 52",
    async tell({ register, request, deliver, recall, pass, settle, people, endOf }) {
      const id = await register()
      const made = await deliver(await request(people.operator, id))
      await recall(id)
      await pass(challengeWindow + 1)
      await settle(made.terms)
      return await endOf(made.terms)
    },
  },
  {
    name: "recalled, then proven",
    expected: "Recalled: client 10, operator 54",
    async tell({ register, request, deliver, challenge, recall, answer, people, endOf }) {
      const id = await register()
      const made = await deliver(await request(people.operator, id))
      await challenge(made)
      await recall(id)
      await answer(made)
      return await endOf(made.terms)
    },
  },
  {
    name: "recalled, and silent",
    expected: "Silent: client 60, challenger 4",
    async tell({ register, request, deliver, challenge, recall, pass, settle, people, endOf }) {
      const id = await register()
      const made = await deliver(await request(people.operator, id))
      await challenge(made)
      await recall(id)
      await pass(answerWindow + 1)
      await settle(made.terms)
      return await endOf(made.terms)
    },
  },
  {
    name: "two systems disagree",
    expected: "Proven, Convicted: client 60, operator 62, prover 2",
    async tell({ people, lie, request, deliver, answer, convict, endOf }) {
      const one = await deliver(await request())
      const other = await deliver(await request(people.rival), people.rival, lie)
      await answer(one)
      await convict(other)
      return await endOf(one.terms, other.terms)
    },
  },
  {
    name: "a recall reaches back",
    expected: "Proven: operator 62; actionable; recalled: not the policy's model, or recalled",
    async tell({ people, register, request, deliver, answer, recall, actionable, endOf }) {
      const id = await register()
      const made = await deliver(await request(people.operator, id))
      await answer(made)
      const end = await endOf(made.terms)
      const before = await actionable(made)
      await recall(id)
      return `${end}; ${before}; recalled: ${await actionable(made)}`
    },
  },
]

// ---------------------------------------------------------------------- telling

const { values: given } = parseArgs({ options: { json: { type: "boolean" }, ptau: { type: "string" } } })
const say = (text: string) => void (given.json || process.stdout.write(`${text}\n`))

/** Lines of at most a width, broken between words. */
function wrapped(text: string, width: number): string[] {
  const lines = [""]
  for (const word of text.split(" ")) {
    const longer = `${lines[lines.length - 1]} ${word}`.trim()
    if (longer.length <= width) lines[lines.length - 1] = longer
    else lines.push(word)
  }
  return lines
}

/** A line of 80 columns at most, or several: number, name, how it ended, gas. */
function show(number: string, name: string, text: string, gas: string): void {
  const [first, ...others] = wrapped(text, 46)
  say(`${number.padStart(2)} ${name.padEnd(22)} ${first.padEnd(46)} ${gas.padStart(5)}`)
  for (const line of others) say(`${" ".repeat(26)}${line}`)
}

async function story(stage: Stage): Promise<readonly Told[]> {
  const { said, gasSince } = stage
  say(`Of a digit that stays hidden the model says ${said.truth}, and an operator who lies ${said.lie}. In
thousandths of an ETH a client pays ${price}, an operator bonds ${damages} for damages and ${costs} for
costs, and a challenger stakes ${costs}. How each request ends, and who is paid what:
`)
  show("", "chapter", "end", "gas")
  const told: Told[] = []
  gasSince()
  for (const { name, expected, tell } of chapters) {
    const happened = await tell(stage)
    const gas = gasSince()
    told.push({ name, expected, happened, gas })
    const text = happened === expected ? happened : `${happened} INSTEAD OF ${expected}`
    show(`${told.length}`, name, text, `${Math.round(gas / 1000)}k`)
  }
  const failed = told.filter(({ expected, happened }) => expected !== happened).length
  say(
    failed === 0
      ? "\nEach as it was to be. docs/ACCOUNTABILITY.md says what each means, and its limit."
      : `\n${failed} of ${told.length} chapters did not end as they were to.`,
  )
  if (failed > 0) process.exitCode = 1
  return told
}

const folder = mkdtempSync(join(tmpdir(), "countersign-story-"))
const chain = await startChain()
try {
  say("Making a key that escrow takes (powers of tau, a contribution): half a minute …")
  const stage = await openStage(chain, given.ptau ?? testPowers(folder))
  try {
    const chapters = await story(stage)
    if (given.json) process.stdout.write(`${JSON.stringify({ chapters }, null, 2)}\n`)
  } finally {
    await stage.close()
  }
} finally {
  await chain.close()
  rmSync(folder, { recursive: true })
}
