/** Receipts that must be refused by every verifier, made from a valid one; all have a receipt's shape. */
import { q, r } from "#src/field.js"
import type { Groth16Proof, Groth16Receipt } from "#src/verifier/index.js"
import { edit, hash32, outsideSubgroup } from "./groth16-oracle.js"

export interface Attack {
  readonly name: string
  readonly receipt: Groth16Receipt
}

const coordinates: readonly (readonly (string | number)[])[] = [
  ["a", 0],
  ["a", 1],
  ["b", 0, 0],
  ["b", 0, 1],
  ["b", 1, 0],
  ["b", 1, 1],
  ["c", 0],
  ["c", 1],
]

function coordinate(proof: Groth16Proof, path: readonly (string | number)[]): bigint {
  let at: unknown = proof
  for (const step of path) at = (at as Record<string | number, unknown>)[step]
  return BigInt(at as string)
}

/** Wrong proofs for an unchanged statement. `other` is a valid proof of another statement for the same key. */
export function proofAttacks(valid: Groth16Receipt, other: Groth16Proof): Attack[] {
  const { proof } = valid
  const attacks: Attack[] = []
  const wrong = (name: string, changed: Groth16Proof) =>
    attacks.push({ name, receipt: { ...valid, proof: changed } })

  for (const path of coordinates) {
    const value = coordinate(proof, path)
    const name = `proof.${path.join(".")}`
    wrong(`${name} + q`, edit(proof, path, `${value + q}`))
    wrong(`${name} = 0`, edit(proof, path, "0"))
    for (const bit of [0n, 1n, 31n, 100n, 200n, 253n])
      wrong(`${name}, bit ${bit}`, edit(proof, path, `${value ^ (1n << bit)}`))
  }
  const zero2 = [
    ["0", "0"],
    ["0", "0"],
  ] as const
  const negative = ([x, y]: readonly [string, string]) => [x, `${q - BigInt(y)}`] as const
  wrong("A at infinity", { ...proof, a: ["0", "0"] })
  wrong("B at infinity", { ...proof, b: zero2 })
  wrong("C at infinity", { ...proof, c: ["0", "0"] })
  wrong("all at infinity", { a: ["0", "0"], b: zero2, c: ["0", "0"] })
  wrong("A off the curve", { ...proof, a: ["1", "3"] })
  wrong("C off the curve", { ...proof, c: ["1", "3"] })
  wrong(
    "B off the curve",
    edit(
      proof,
      ["b"],
      [
        ["1", "2"],
        ["3", "4"],
      ],
    ),
  )
  wrong("B outside the subgroup", { ...proof, b: outsideSubgroup() })
  wrong("-A", { ...proof, a: negative(proof.a) })
  wrong("-C", { ...proof, c: negative(proof.c) })
  wrong("A and C swapped", { ...proof, a: proof.c, c: proof.a })
  wrong("real and imaginary parts of B swapped", {
    ...proof,
    b: [
      [proof.b[0][1], proof.b[0][0]],
      [proof.b[1][1], proof.b[1][0]],
    ],
  })
  wrong("A of another proof", { ...proof, a: other.a })
  wrong("B of another proof", { ...proof, b: other.b })
  wrong("C of another proof", { ...proof, c: other.c })
  wrong("another statement's proof", other)
  return attacks
}

/** An unchanged proof for changed statements: every public value moved, and the equal ones mod r. */
export function statementAttacks(valid: Groth16Receipt): Attack[] {
  const attacks: Attack[] = [
    { name: "another context", receipt: edit(valid, ["statement", "context"], hash32("elsewhere")) },
    { name: "another model", receipt: edit(valid, ["statement", "model"], hash32("other model")) },
  ]
  for (const group of ["input", "output"] as const) {
    const claim = valid.statement[group]
    if (!("values" in claim)) continue
    for (const [name, list] of Object.entries(claim.values))
      list.forEach((text, i) => {
        const path = ["statement", group, "values", name, i]
        for (const delta of [1n, -1n, r, -r, 2n ** 64n])
          attacks.push({
            name: `${group} ${name}[${i}] + ${delta}`,
            receipt: edit(valid, path, `${BigInt(text) + delta}`),
          })
        if (text !== "0")
          attacks.push({
            name: `${group} ${name}[${i}] negated`,
            receipt: edit(valid, path, `${-BigInt(text)}`),
          })
      })
  }
  return attacks
}
