/** The library speaks of parameters, the command line of options. */
import { readdirSync, readFileSync } from "node:fs"
import { expect, test } from "vitest"

test("messages of the library name parameters in the one form that the command line knows to translate", () => {
  const root = new URL("../../src/", import.meta.url)
  const texts = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.startsWith("cli"))
    .map((name) => [name, readFileSync(new URL(name, root), "utf8")] as const)
  const words = readFileSync(new URL("cli/words.ts", root), "utf8")
  const known = new Set([...words.matchAll(/^ {2}"?([\w.]+)"?: "--/gm)].map((match) => match[1]))
  expect(known.size).toBeGreaterThan(10)
  // what only callers of the library can reach
  const apiOnly = /^(gadgets|limits|labels|onProgress|signal|salts|expected|engine|residentBytes|threads)\b/
  const named = /\b(?:option|parameter) (?:\\?`)(?:options\.|expected\.)([\w.]+)/g
  const option = /\boption \\?`([\w.]+)\\?`/g
  let found = 0
  for (const [name, text] of texts) {
    for (const [, parameter] of [...text.matchAll(named), ...text.matchAll(option)]) {
      found++
      if (!apiOnly.test(parameter)) expect([...known], `${name}: ${parameter}`).toContain(parameter)
    }
    // a camel-case parameter in a message outside of that form would reach users untranslated; what is put into one
    // is a value
    for (const [line] of text.matchAll(/^.*\b(?:what|fix|expected): .*$/gm)) {
      const written = line.replace(option, "").replace(/\$\{[^}]*\}/g, "")
      const messages = written.match(/"(?:[^"\\]|\\.)*"|`(?:[^`\\]|\\.)*`?/g) ?? []
      for (const parameter of [...known].filter((word) => /[A-Z]/.test(word)))
        for (const message of messages) expect(message, name).not.toMatch(new RegExp(`\\b${parameter}\\b`))
    }
  }
  expect(found).toBeGreaterThan(5)
})
