import { createHash } from "node:crypto"
import { bn254 } from "@noble/curves/bn254.js"
import { utf8ToBytes } from "@noble/hashes/utils.js"
import { describe, expect, it } from "vitest"
import { mod, power, q, r } from "#src/field.js"
import { cofactor2, hashToG1, hashToG2 } from "#src/setup/ceremony/hash-to-curve.js"

const messages = Array.from({ length: 24 }, (_, i) => utf8ToBytes(`message ${i}`))

describe("points hashed from messages", () => {
  it("are what they always were", () => {
    const one = hashToG1(utf8ToBytes("countersign")).toAffine()
    const two = hashToG2(utf8ToBytes("countersign")).toAffine()
    expect([one.x, one.y, two.x.c0, two.x.c1, two.y.c0, two.y.c1].map(String)).toMatchInlineSnapshot(`
      [
        "8132171479454842760971375463935737443984131606093250990446745532784681877816",
        "2253117618614372174845817494663161366074032538280153098842380991249278470505",
        "2713480865751477916350155546974960165985134353991378518212852176969861507112",
        "16361524971412185159236151614436941494080006059269826826332638214194132270767",
        "12803259102661177188705514891998849342239227663635496482247195788776739402831",
        "10735092192512484826379253329016906563265902291742169439451057881590922152517",
      ]
    `)
  })

  it("follow from the hashes as the header says", () => {
    const reference = (message: Uint8Array): bigint[] => {
      for (let k = 0; ; k++) {
        const hash = (j: number) => {
          const given = createHash("sha512")
            .update("countersign.curve.1")
            .update(Uint8Array.of(j, 0, 0, 0, k))
          return BigInt(`0x${given.update(message).digest("hex")}`)
        }
        const x = hash(0) % q
        const square = mod(x * x * x + 3n, q)
        const y = power(square, (q + 1n) / 4n, q)
        if (mod(y * y, q) === square) return [x, (y & 1n) === (hash(1) & 1n) ? y : q - y]
      }
    }
    for (const message of messages) {
      const { x, y } = hashToG1(message).toAffine()
      expect([x, y]).toEqual(reference(message))
    }
  })

  it("lie in the group of order r, where the cofactor brought them", () => {
    for (const message of messages.slice(0, 6)) {
      const point = hashToG2(message)
      point.assertValidity()
      expect(point.isTorsionFree()).toBe(true)
      // by plain doubling, whatever shortcut the package takes
      let product = bn254.G2.Point.ZERO
      for (const bit of r.toString(2)) {
        product = product.double()
        if (bit === "1") product = product.add(point)
      }
      expect(product.is0()).toBe(true)
    }
    expect(cofactor2).toBe(0x30644e72e131a029b85045b68181585e06ceecda572a2489345f2299c0f9fa8dn)
  })

  it("are spread: all differ, both signs and both halves of the field occur", () => {
    const ones = messages.map((message) => hashToG1(message).toAffine())
    const twos = messages.slice(0, 12).map((message) => hashToG2(message).toAffine())
    expect(new Set(ones.map(({ x }) => x)).size).toBe(messages.length)
    expect(new Set(twos.map(({ x }) => x.c0)).size).toBe(12)
    for (const values of [ones.map(({ y }) => y), twos.map(({ y }) => y.c0)]) {
      expect(new Set(values.map((y) => y & 1n)).size).toBe(2)
      expect(new Set(values.map((y) => y > q / 2n)).size).toBe(2)
    }
    expect(hashToG1(messages[0]).equals(hashToG1(messages[0]))).toBe(true)
  })
})
