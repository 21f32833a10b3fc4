/** Sequences of steps (escrow-steps.ts) that come to every end of the table, and meet every kind of hostility. */
import { registryModes, type Step, signerModes } from "./escrow-steps.js"
import {
  accounts,
  blocked,
  blocking,
  lying,
  names,
  recalling,
  reentering,
  refusing,
  seizing,
} from "./escrow-world.js"

type Numbers = Partial<Omit<Step, "call">>
const zeros = { who: 0, which: 0, when: 0, a: 0, b: 0, flaw: 0 }
const step = (call: Step["call"], numbers: Numbers = {}): Step => ({ ...zeros, call, ...numbers })
/** Steps on requests one after another; each is made in its own way, and goes on by itself. */
function inTurn(...all: (readonly [request: Numbers, ...then: readonly Step[]])[]): readonly Step[] {
  return all.flatMap(([numbers, ...then], which) => [
    step("request", numbers),
    ...then.map((each) => ({ ...each, which })),
  ])
}

const [honestly, falsely] = [step("deliver"), step("deliver", { b: 1 })]
const [challenge, settle] = [step("challenge", { who: 3 }), step("settle")]
/** In the registry that can be recalled from: made with amounts of 10^15, 70 and 33. */
const recallable: Numbers = { b: 4 }
const fileBy = (who: number, which: number) => step("file", { who, a: which })

/** The recall comes once, after all that is not to be recalled. */
export const everyEnd: readonly Step[] = [
  ...inTurn(
    [{}, settle],
    [{}, honestly, settle],
    [{}, honestly, step("answer")],
    [{}, honestly, challenge, step("answer")],
    [{}, honestly, challenge, settle],
    [{}, falsely, step("convict", { who: 3 })],
    [{}, falsely, challenge, step("convict", { who: 2 })],
    [{}, falsely, fileBy(2, 7), step("equivocated", { who: 3 })],
    [{}, falsely, challenge, fileBy(2, 8), step("equivocated")],
    [recallable, honestly],
    [recallable, honestly],
    [recallable, honestly, challenge],
  ),
  step("recall"),
  step("answer", { which: 9 }),
  step("answer", { which: 11 }),
  step("settle", { which: 10 }),
]

const inTokens = names.map((_, a): Numbers => ({ who: 2, a }))
/** A client and an operator who pay nothing but a price of 33, of whom the operator is blocked. */
const freeForBlocked: Numbers = { who: 5, which: 2, a: blocking, b: 5 }
/** Whose operator is the first of the contracts; whose registry is the hostile one. */
const [toContract, inHostileRegistry]: Numbers[] = [{ who: accounts - 1 }, { who: 2, b: 2 }]

export const everyStranger: readonly Step[] = [
  ...inTurn(
    ...inTokens.map((numbers) => [numbers, step("deliver"), settle] as const),
    [freeForBlocked, honestly, settle, step("withdraw", { who: blocked, a: blocking, flaw: 8 })],
    [{ who: refusing }, settle, step("withdraw", { who: refusing, flaw: 8 })],
    [{ who: recalling }, settle, step("withdraw", { who: recalling, flaw: 8 })],
    [{ who: 2, a: seizing }, honestly, step("move", { flaw: 4 }), settle],
  ),
  step("move", { flaw: 4 }),
  step("withdraw", { who: 3, a: seizing }),
  step("lie"),
  step("withdraw", { who: 3, a: lying }),
  step("request", { who: 2, a: lying }),
  step("request", { who: blocked, a: blocking }),
  step("arm"),
  step("withdraw", { who: 3, a: reentering }),
  // the last request but for those of the next lines
  ...signerModes.flatMap((_, a) => [
    step("request", toContract),
    step("mode", { a }),
    step("deliver", { which: -1 }),
  ]),
  ...registryModes.flatMap((_, a) => [
    step("registry"),
    step("request", inHostileRegistry),
    step("deliver", { which: -1 }),
    step("registry", { a }),
    step("settle", { which: -1 }),
  ]),
  step("request", { flaw: 10 }),
  step("request"),
  ...[
    step("deliver", { flaw: 10 }),
    honestly,
    step("challenge", { flaw: 7 }),
    step("answer", { flaw: 8 }),
    step("settle", { when: 2 }),
    step("convict", { flaw: 8 }),
    step("equivocated"),
    step("file", { flaw: 9 }),
    step("withdraw", { a: reentering }),
  ].map((each) => ({ ...each, which: -1 })),
]
