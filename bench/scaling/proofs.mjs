/** Proofs of one opened key, timed: the same in Node and in a page. */

/** Proofs are repeated this often, or until they have taken this long; two at least. */
const most = 7
const longestMs = 12_000

const context = `0x${"5a".repeat(32)}`

/**
 * Milliseconds of a first proof, then of others in the same prover.
 * @throws Error if one does not verify
 */
export async function timesOf(prover, input, { verify, ...expected }) {
  const times = []
  const started = performance.now()
  while (times.length < 3 || (times.length <= most && performance.now() - started < longestMs)) {
    const before = performance.now()
    const receipt = await prover.prove(input, { context })
    times.push(performance.now() - before)
    if (!verify(receipt, { ...expected, context, allowDev: true })) throw new Error("a proof does not verify")
  }
  const [firstMs, ...others] = times
  return { firstMs, times: others }
}
