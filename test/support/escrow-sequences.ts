/**
 * Sequences of steps (escrow-steps.ts): two that come to every end of the table and meet every kind of hostility, and lives
 * of requests, of which random ones are made.
 */
import fc from "fast-check"
import { registryModes, type Step, signerModes } from "./escrow-steps.js"
import {
  accounts,
  blocked,
  blocking,
  lying,
  names,
  partyCount,
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

const maybe = (...all: readonly Step["call"][]) => fc.constantFrom(...all, null, null)
/**
 * The life of a request, as it may be: something odd may happen before the delivery and after it, somebody may challenge,
 * something ends it, and two of those whom it concerns ask for their money, perhaps by themselves.
 */
export const life: fc.Arbitrary<Step[]> = fc
  .record({
    // those who are odd themselves come more often
    client: fc.constantFrom(0, blocked, blocked, 2, 3, 4, refusing, refusing, recalling, recalling),
    shift: fc.nat(2),
    a: fc.nat(11),
    b: fc.nat(11),
    before: maybe("mode", "mode", "lie", "arm"),
    odd: fc.nat(11),
    lies: fc.nat(1),
    challenger: fc.constantFrom(null, 0, blocked, 3, recalling),
    after: maybe("registry", "recall", "recall", "move", "lie"),
    end: fc.constantFrom("settle", "settle", "answer", "convict", "file"),
    ender: fc.constantFrom(0, blocked, 2, 3, refusing, recalling),
    selves: fc.constantFrom(0, 8),
  })
  .map(({ client, shift, a, b, before, odd, lies, challenger, after, end, ender, selves }) => {
    const operator = (client + 1 + shift) % partyCount
    const strange = (call: Step["call"] | null): Step[] =>
      call
        ? [step(call, { who: Math.max(operator - accounts, 0), a: odd, b: odd % 2, flaw: 4, which: -1 })]
        : []
    const withdrawals = [client, operator, ender].map((who) =>
      step("withdraw", { who, a: a % names.length, flaw: selves }),
    )
    return [
      step("request", { who: client, which: shift, a, b }),
      ...strange(before),
      step("deliver", { which: -1, b: end === "convict" ? 1 : lies }),
      ...(challenger === null ? [] : [step("challenge", { which: -1, who: challenger })]),
      ...strange(after),
      step(end, { which: -1, who: ender, a: -1 }),
      ...(end === "file" ? [step("equivocated", { which: -1 })] : []),
      ...withdrawals,
    ]
  })
