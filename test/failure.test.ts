import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { expect, it } from "vitest"
import { Failure } from "#src/failure.js"

it("gives what work gives, or the failure that comes before", async () => {
  const failure = new Failure()
  await expect(failure.orFail(Promise.resolve(1))).resolves.toBe(1)
  await expect(failure.orFail(Promise.reject(new Error("its own")))).rejects.toThrow("its own")
  const under = failure.orFail(new Promise(() => undefined))
  expect(failure.hasCome).toBe(false)
  failure.throwIfCome()
  failure.fail(new Error("the first"))
  failure.fail(new Error("another"))
  await expect(under).rejects.toThrow("the first")
  await expect(failure.orFail(Promise.resolve(1))).rejects.toThrow("the first")
  expect(failure.hasCome).toBe(true)
  expect(() => failure.throwIfCome()).toThrow("the first")
})

it("keeps nothing of work that is done", async () => {
  setFlagsFromString("--expose-gc")
  const collect = runInNewContext("gc") as () => void
  const failure = new Failure()
  const results: WeakRef<object>[] = []
  for (let i = 0; i < 100; i++) {
    const result = {}
    results.push(new WeakRef(result))
    await failure.orFail(Promise.resolve(result))
  }
  // a reference lives until the end of the turn in which it was made
  await new Promise((resolve) => setTimeout(resolve, 0))
  collect()
  expect(results.filter((result) => result.deref()).length).toBeLessThanOrEqual(1)
  expect(failure.hasCome).toBe(false)
})
