/**
 * JSON text that others wrote, read strictly. Before anything is built of it, one pass over the text counts what it
 * would take and refuses what readers do not agree on: of a name that occurs twice in one object JSON.parse keeps the
 * last value and other readers the first, and both would see a valid file.
 */
import { FileError } from "../errors.js"

/** What a text may be; more of either is refused before memory is taken. */
export interface TextLimits {
  /** Its length. */
  readonly characters: number
  /** Numbers, strings, lists, objects and names in it, at every depth. */
  readonly values: number
}

/** For texts of which nothing more is known. */
export const textLimits: TextLimits = { characters: 2 ** 26, values: 2 ** 22 }

/** No format of ours nests deeper. */
const maxDepth = 64

const [quote, backslash, comma, openList, closeList, openObject, closeObject] = [...'"\\,[]{}'].map((c) =>
  c.charCodeAt(0),
)

/**
 * The value of a JSON text.
 * @param where what errors call the text
 * @throws FileError for anything but JSON, a name that occurs twice in one object, nesting beyond 64, and more
 * characters or values than `limits` allow
 */
export function parseJson(text: string, where: string, limits: TextLimits = textLimits): unknown {
  checkText(text, where, limits)
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new FileError({ what: `is not JSON: ${(error as Error).message}`, where })
  }
}

/**
 * Counts and compares names. Of a text that is no JSON it may say anything or nothing, but in time proportional to
 * its length: JSON.parse has the last word.
 */
function checkText(text: string, where: string, limits: TextLimits): void {
  const fail = (what: string, expected?: string, given?: string): never => {
    throw new FileError({
      what,
      where,
      ...(expected === undefined ? {} : { expected }),
      ...(given === undefined ? {} : { given }),
    })
  }
  if (text.length > limits.characters)
    fail("the text is too long", `at most ${limits.characters} characters`, `${text.length}`)
  /** Names of each open object, and undefined for each open list. */
  const open: (Set<string> | undefined)[] = []
  let names: Set<string> | undefined
  let isName = false
  let values = 1
  const count = () => {
    if (++values > limits.values) fail("too many values", `at most ${limits.values}`)
  }
  const enter = (next: Set<string> | undefined) => {
    count()
    if (open.length === maxDepth) fail(`nested deeper than ${maxDepth} lists and objects`)
    open.push(names)
    names = next
    isName = next !== undefined
  }
  for (let at = 0; at < text.length; at++) {
    switch (text.charCodeAt(at)) {
      case openList:
        enter(undefined)
        break
      case openObject:
        enter(new Set())
        break
      case closeList:
      case closeObject:
        names = open.pop()
        isName = false
        break
      case comma:
        count()
        isName = names !== undefined
        break
      case quote: {
        const end = endOfString(text, at)
        if (isName && names) {
          count()
          const name = decoded(text.slice(at, end))
          if (names.has(name))
            fail("a field name occurs twice in one object", undefined, JSON.stringify(name.slice(0, 80)))
          names.add(name)
          isName = false
        }
        at = end - 1
      }
    }
  }
}

/** The position behind the string that begins at `from`, or the end of the text. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const c = text.charCodeAt(at)
    if (c === backslash) at++
    else if (c === quote) return at + 1
  }
  return text.length
}

/** What a quoted name says; one that is no JSON stays as it is, for JSON.parse to refuse. */
function decoded(quoted: string): string {
  if (!quoted.includes("\\")) return quoted.slice(1, -1)
  try {
    return JSON.parse(quoted) as string
  } catch {
    return quoted
  }
}
