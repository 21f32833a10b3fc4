/** The strict JSON reader, which every JSON of others goes through. */
import fc from "fast-check"
import { describe, expect, test } from "vitest"
import { FileError } from "#src/errors.js"
import { parseJson } from "#src/statement/json.js"

const refused = (text: string, message: string, limits?: { characters: number; values: number }) => {
  expect(() => parseJson(text, "a file", limits)).toThrow(FileError)
  expect(() => parseJson(text, "a file", limits)).toThrow(message)
}

/** Whether some object of a JSON text has a name twice: the slow reference, by a reviver on renamed members. */
function hasTwice(value: Json): boolean {
  if (Array.isArray(value)) return value.some(hasTwice)
  if (value === null || typeof value !== "object") return false
  const names = value.members.map(([name]) => name)
  return new Set(names).size < names.length || value.members.some(([, member]) => hasTwice(member))
}
type Json = null | number | string | boolean | Json[] | { members: [string, Json][] }

/** Text of a value, white space and escapes included. */
function textOf(value: Json, space: string, spelled: boolean): string {
  const string = (x: string) =>
    spelled
      ? `"${[...x].map((c) => [...Array(c.length).keys()].map((i) => `\\u${c.charCodeAt(i).toString(16).padStart(4, "0")}`).join("")).join("")}"`
      : JSON.stringify(x)
  if (Array.isArray(value))
    return `[${space}${value.map((x) => textOf(x, space, spelled)).join(`${space},`)}${space}]`
  if (value !== null && typeof value === "object")
    return `{${value.members.map(([name, x]) => `${space}${string(name)}${space}:${textOf(x, space, spelled)}`).join(",")}}`
  return typeof value === "string" ? string(value) : JSON.stringify(value)
}

const anyJson = fc.letrec<{ json: Json }>((tie) => ({
  json: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.constant(null),
    fc.integer(),
    fc.boolean(),
    fc.oneof(fc.string(), fc.constantFrom('"', "\\", '\\"', '{"a":1,"a":2}', "]", "")),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.record({
      members: fc.array(
        fc.tuple(
          fc.oneof(fc.string({ maxLength: 2 }), fc.constantFrom("a", "__proto__", '"', "\\")),
          tie("json"),
        ),
        { maxLength: 4 },
      ),
    }),
  ),
})).json

describe("parseJson", () => {
  test("reads what JSON.parse reads, but for names that occur twice", () => {
    let twice = 0
    fc.assert(
      fc.property(anyJson, fc.constantFrom("", " ", "\n\t"), fc.boolean(), (value, space, spelled) => {
        const text = textOf(value, space, spelled)
        if (hasTwice(value)) {
          twice++
          refused(text, "a field name occurs twice in one object")
        } else expect(parseJson(text, "a file")).toEqual(JSON.parse(text))
      }),
      { numRuns: 1000 },
    )
    expect(twice).toBeGreaterThan(20)
  })

  test("any other text is refused with a FileError", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: fc.constantFrom(...'{}[]",:\\a1') })), (text) => {
        let expected: unknown = FileError
        try {
          expected = JSON.parse(text)
        } catch {
          expect(() => parseJson(text, "a file")).toThrow(FileError)
          return
        }
        if (!text.includes("{")) expect(parseJson(text, "a file")).toEqual(expected)
      }),
      { numRuns: 1000 },
    )
  })

  test("deep nesting and long strings are no stack of calls", () => {
    refused("[".repeat(2 ** 20), "nested deeper than 64")
    refused(`${'{"a":'.repeat(2 ** 18)}1${"}".repeat(2 ** 18)}`, "nested deeper than 64")
    const escapes = JSON.stringify("\n".repeat(2 ** 24))
    expect(parseJson(escapes, "a file")).toBe("\n".repeat(2 ** 24))
  })

  test("length and number of values are limited before anything is built", () => {
    refused("[1, 2, 3]", "the text is too long; expected at most 8 characters; given 9", {
      characters: 8,
      values: 9,
    })
    refused("[1, 2, 3]", "too many values; expected at most 3", { characters: 9, values: 3 })
    expect(parseJson("[1, 2, 3]", "a file", { characters: 9, values: 4 })).toEqual([1, 2, 3])
    refused(`[${"[],".repeat(2 ** 22)}[]]`, "too many values")
  })
})
