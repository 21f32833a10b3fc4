/**
 * What decoding an ONNX file will hold, found by walking its wire format once without making anything: two
 * bytes can stand for a message with eight lists. Fields are those of the schema, so that what is charged is
 * what the decoder makes. Bytes that cannot be walked to their end are refused here: a decoder that took them
 * otherwise would hold what nobody was charged for.
 */
import type { Budget } from "../../budget.js"
import { type FieldKind, fieldsOf } from "./schema.js"

/** Numbers of 8 bytes that things take in memory, roughly and not less. */
const costs = { message: 8, list: 6, text: 16, number: 2, wide: 6 }

/** Bytes of a character. */
const charsPerNumber = 4

/**
 * Charges a budget for decoding a message of type `name`, nested at most `nesting` deep.
 * @throws Error for malformed bytes, and "max depth exceeded" as the decoder does
 */
export function chargeDecoding(name: string, bytes: Uint8Array, nesting: number, budget: Budget): void {
  new Walk(bytes, budget).message(name, bytes.length, nesting)
}

class Walk {
  #at = 0
  constructor(
    private readonly bytes: Uint8Array,
    private readonly budget: Budget,
  ) {}

  /** Walks a message that ends before `end`. */
  message(name: string, end: number, depth: number): void {
    const { fields, lists } = fieldsOf(name)
    this.#charge(costs.message + costs.list * lists)
    if (depth < 0) throw new Error("max depth exceeded")
    while (this.#at < end) {
      const tag = this.#varint(end)
      if (tag < 8 || tag >= 2 ** 32) this.#malformed()
      this.#field(tag % 8, fields.get(Math.floor(tag / 8)), end, depth)
    }
  }

  #field(wire: number, field: FieldKind | undefined, end: number, depth: number): void {
    switch (wire) {
      case 0:
        this.#charge(costs.wide)
        this.#varint(end)
        break
      case 1:
      case 5:
        this.#charge(costs.number)
        this.#advance(wire === 1 ? 8 : 4, end)
        break
      case 2: {
        const stop = this.#varint(end) + this.#at
        if (stop > end) this.#malformed()
        if (field?.message) this.message(field.message, stop, depth - 1)
        else {
          this.#charge(costs.text + this.#held(field, stop))
          this.#at = stop
        }
        break
      }
      default:
        // groups are no part of the schema
        this.#malformed()
    }
  }

  #advance(bytes: number, end: number): void {
    this.#at += bytes
    if (this.#at > end) this.#malformed()
  }

  #malformed(): never {
    throw new Error(`malformed at byte ${this.#at}`)
  }

  /** What the bytes up to `stop` take as text, raw bytes (which are not copied), or a packed list. */
  #held(field: FieldKind | undefined, stop: number): number {
    const length = stop - this.#at
    switch (field?.scalar) {
      case "string":
        return length / charsPerNumber
      case "float":
        return (costs.number * length) / 4
      case "double":
        return (costs.number * length) / 8
      case "int32":
      case "int64":
      case "uint64": {
        let count = 0
        for (let at = this.#at; at < stop; at++) if (this.bytes[at] < 128) count++
        return count * (field.scalar === "int32" ? costs.number : costs.wide)
      }
      default:
        return 0
    }
  }

  /** The number at the current position. */
  #varint(end: number): number {
    let value = 0
    for (let shift = 1, i = 0; i < 10 && this.#at < end; i++, shift *= 128) {
      const byte = this.bytes[this.#at++]
      value += (byte & 127) * shift
      if (byte < 128) return value
    }
    return this.#malformed()
  }

  #charge(numbers: number): void {
    this.budget.elements(numbers, "decoding")
  }
}
