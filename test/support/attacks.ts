/** Receipts that must be refused by every verifier, made from a valid one; all have a receipt's shape. */
import { q, r } from "#src/field.js"
import type { Receipt } from "#src/verifier/index.js"
import { edit, hash32, outsideSubgroup } from "./groth16-oracle.js"

export interface Attack<R extends Receipt> {
  readonly name: string
  readonly receipt: R
}

type Path = readonly (string | number)[]

/** Kinds of what a proof has. */
const kindOf = (part: unknown): "scalar" | "g1" | "g2" => {
  if (typeof part === "string") return "scalar"
  return typeof (part as unknown[])[0] === "string" ? "g1" : "g2"
}
const numbers: Readonly<Record<ReturnType<typeof kindOf>, readonly Path[]>> = {
  scalar: [[]],
  g1: [[0], [1]],
  g2: [
    [0, 0],
    [0, 1],
    [1, 0],
    [1, 1],
  ],
}

function at(value: unknown, path: Path): unknown {
  let found = value
  for (const step of path) found = (found as Record<string | number, unknown>)[step]
  return found
}

/** Wrong proofs for an unchanged statement. `other` is a valid proof of another statement for the same key. */
export function proofAttacks<R extends Receipt>(valid: R, other: R["proof"]): Attack<R>[] {
  const proof: Record<string, unknown> = { ...valid.proof }
  const attacks: Attack<R>[] = []
  const wrong = (name: string, ...changes: [path: Path, to: unknown][]) =>
    attacks.push({
      name,
      receipt: changes.reduce((receipt, [path, to]) => edit(receipt, ["proof", ...path], to), valid),
    })
  const named = (kind: string) => Object.keys(proof).filter((name) => kindOf(proof[name]) === kind)
  const [points, scalars, pairs] = [named("g1"), named("scalar"), named("g2")]

  for (const [part, value] of Object.entries(proof)) {
    for (const inside of numbers[kindOf(value)]) {
      const path = [part, ...inside]
      const number = BigInt(at(proof, path) as string)
      const name = `proof.${path.join(".")}`
      const [prime, letter] = kindOf(value) === "scalar" ? [r, "r"] : [q, "q"]
      wrong(`${name} + ${letter}`, [path, `${number + prime}`])
      if (number !== 0n) wrong(`${name} = 0`, [path, "0"])
      for (const bit of [0n, 1n, 31n, 100n, 200n, 253n])
        wrong(`${name}, bit ${bit}`, [path, `${number ^ (1n << bit)}`])
    }
  }
  for (const name of scalars) {
    // a selector that is zero everywhere is zero in every proof
    if (proof[name] === "0") continue
    wrong(`${name} of another proof`, [[name], at(other, [name])])
    wrong(`-${name}`, [[name], `${r - BigInt(proof[name] as string)}`])
  }
  const zero = (name: string) =>
    points.includes(name)
      ? ["0", "0"]
      : [
          ["0", "0"],
          ["0", "0"],
        ]
  const all = [...points, ...pairs]
  wrong("all at infinity", ...all.map((name): [Path, unknown] => [[name], zero(name)]))
  for (const name of all) {
    const letter = name.toUpperCase()
    wrong(`${letter} at infinity`, [[name], zero(name)])
    wrong(`${letter} of another proof`, [[name], at(other, [name])])
    if (pairs.includes(name)) continue
    wrong(`${letter} off the curve`, [[name], ["1", "3"]])
    wrong(`${letter} the generator`, [[name], ["1", "2"]])
    wrong(`-${letter}`, [[name, 1], `${q - BigInt(at(proof, [name, 1]) as string)}`])
    for (const second of points)
      if (second > name)
        wrong(
          `${letter} and ${second.toUpperCase()} swapped`,
          [[name], at(proof, [second])],
          [[second], at(proof, [name])],
        )
  }
  for (const name of pairs) {
    const letter = name.toUpperCase()
    const [x, y] = proof[name] as string[][]
    wrong(`${letter} outside the subgroup`, [[name], outsideSubgroup()])
    wrong(`${letter} off the curve`, [[name, 0, 0], "1"])
    wrong(`real and imaginary parts of ${letter} swapped`, [[name], [x.toReversed(), y.toReversed()]])
  }
  attacks.push({ name: "another statement's proof", receipt: edit(valid, ["proof"], other) })
  return attacks
}

/** An unchanged proof for changed statements: every public value moved, and the equal ones mod r. */
export function statementAttacks<R extends Receipt>(valid: R): Attack<R>[] {
  const attacks: Attack<R>[] = [
    { name: "another context", receipt: edit(valid, ["statement", "context"], hash32("elsewhere")) },
    { name: "another model", receipt: edit(valid, ["statement", "model"], hash32("other model")) },
  ]
  for (const side of ["input", "output"] as const) {
    const claim = valid.statement[side]
    if (claim.visibility === "committed") {
      const value = BigInt(claim.commitment)
      for (const other of [value + 1n, value - 1n, value + r, value ^ 1n, 0n])
        attacks.push({
          name: `${side} commitment + ${other - value}`,
          receipt: edit(
            valid,
            ["statement", side, "commitment"],
            `0x${other.toString(16).padStart(64, "0")}`,
          ),
        })
    }
    if (claim.visibility !== "public") continue
    for (const [name, list] of Object.entries(claim.values))
      list.forEach((text, i) => {
        const path = ["statement", side, "values", name, i]
        for (const delta of [1n, -1n, r, -r, 2n ** 64n])
          attacks.push({
            name: `${side} ${name}[${i}] + ${delta}`,
            receipt: edit(valid, path, `${BigInt(text) + delta}`),
          })
        if (text !== "0")
          attacks.push({
            name: `${side} ${name}[${i}] negated`,
            receipt: edit(valid, path, `${-BigInt(text)}`),
          })
      })
  }
  return attacks
}
