/** Receipts that must be refused by every verifier, made from a valid one; all have a receipt's shape. */
import { q, r } from "#src/field.js"
import type { Groth16Proof, Receipt } from "#src/verifier/index.js"
import { edit, hash32, outsideSubgroup } from "./groth16-oracle.js"

export interface Attack<R extends Receipt> {
  readonly name: string
  readonly receipt: R
}

type Path = readonly (string | number)[]

const coordinates: readonly Path[] = [
  ["a", 0],
  ["a", 1],
  ["b", 0, 0],
  ["b", 0, 1],
  ["b", 1, 0],
  ["b", 1, 1],
  ["c", 0],
  ["c", 1],
  ["d", 0],
  ["d", 1],
]

function at(value: unknown, path: Path): unknown {
  let found = value
  for (const step of path) found = (found as Record<string | number, unknown>)[step]
  return found
}

/** Wrong proofs for an unchanged statement. `other` is a valid proof of another statement for the same key. */
export function proofAttacks<R extends Receipt>(valid: R, other: R["proof"]): Attack<R>[] {
  const { proof }: { proof: Groth16Proof } = valid
  const attacks: Attack<R>[] = []
  const wrong = (name: string, ...changes: [path: Path, to: unknown][]) =>
    attacks.push({
      name,
      receipt: changes.reduce((receipt, [path, to]) => edit(receipt, ["proof", ...path], to), valid),
    })
  const points = Object.keys(proof)

  for (const path of coordinates.filter(([name]) => points.includes(`${name}`))) {
    const value = BigInt(at(proof, path) as string)
    const name = `proof.${path.join(".")}`
    wrong(`${name} + q`, [path, `${value + q}`])
    wrong(`${name} = 0`, [path, "0"])
    for (const bit of [0n, 1n, 31n, 100n, 200n, 253n])
      wrong(`${name}, bit ${bit}`, [path, `${value ^ (1n << bit)}`])
  }
  const zero = (name: string) =>
    name !== "b"
      ? ["0", "0"]
      : [
          ["0", "0"],
          ["0", "0"],
        ]
  wrong("all at infinity", ...points.map((name): [Path, unknown] => [[name], zero(name)]))
  for (const name of points) {
    const letter = name.toUpperCase()
    wrong(`${letter} at infinity`, [[name], zero(name)])
    wrong(`${letter} of another proof`, [[name], at(other, [name])])
    if (name === "b") continue
    wrong(`${letter} off the curve`, [[name], ["1", "3"]])
    wrong(`${letter} the generator`, [[name], ["1", "2"]])
    wrong(`-${letter}`, [[name, 1], `${q - BigInt(at(proof, [name, 1]) as string)}`])
    for (const second of points)
      if (second > name && second !== "b")
        wrong(
          `${letter} and ${second.toUpperCase()} swapped`,
          [[name], at(proof, [second])],
          [[second], at(proof, [name])],
        )
  }
  const [x, y] = proof.b
  wrong("B outside the subgroup", [["b"], outsideSubgroup()])
  wrong("B off the curve", [["b", 0, 0], "1"])
  wrong("real and imaginary parts of B swapped", [["b"], [x.toReversed(), y.toReversed()]])
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
