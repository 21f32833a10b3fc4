/** Files of expected numbers, so that every change of one is a line in review. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { expect } from "vitest"

/**
 * That a text is what the file `name` of test/ holds; `vitest -u` updates it. A file that is missing fails, for then
 * nothing was compared: to add one, begin with an empty file.
 */
export async function expectGolden(name: string, text: string): Promise<void> {
  const path = fileURLToPath(new URL(`../${name}`, import.meta.url))
  expect(existsSync(path), `test/${name} is missing`).toBe(true)
  await expect(text).toMatchFileSnapshot(path)
}
