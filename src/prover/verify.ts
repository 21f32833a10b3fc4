/**
 * Verification of receipts of every proof system. Those whose equation is in the verifying half are verified by it, at
 * once; for the others a program of somebody else's has it (`equation` of systems/system.ts), which takes threads, time
 * to start, and a licence of its own. That is why all of this is asynchronous and stands here, and not in the entry
 * `countersign/verifier`. Everything but the equation is the same function in both.
 */
import { printable } from "../errors.js"
import { systemOf } from "../systems/index.js"
import type { Equation } from "../systems/system.js"
import { type Expected, examine, explain } from "../verifier/verify.js"

/** What verifies receipts, one after the other. */
export interface ReceiptVerifier {
  /** Null when a receipt is valid, else the first reason why not. @throws as `explain` */
  explain(receipt: unknown, expected: Expected): Promise<string | null>
  /** Stops what it has started. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/** A verifier of receipts of every proof system, which keeps what it had to start until `close`. */
export function openVerifier(): ReceiptVerifier {
  const started = new Map<string, Equation<unknown>>()
  const close = async () => {
    await Promise.all([...started.values()].map((equation) => equation.close()))
  }
  return {
    async explain(receipt, expected) {
      const examined = examine(receipt, expected)
      if (typeof examined === "string") return printable(examined)
      const { key } = examined
      const { equation } = systemOf(key)
      if (!equation) return explain(receipt, expected)
      const running = started.get(key.proofSystem) ?? equation()
      started.set(key.proofSystem, running)
      const reason = await running.problem(examined.receipt.proof, examined.receipt.statement, key)
      return reason === null ? null : printable(reason)
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

/**
 * Null when a receipt (an object, or JSON text) is valid, else the first reason why not, in plain and printable words:
 * `explain` for every proof system. @throws as `explain`
 */
export async function explainReceipt(receipt: unknown, expected: Expected): Promise<string | null> {
  const verifier = openVerifier()
  try {
    return await verifier.explain(receipt, expected)
  } finally {
    await verifier.close()
  }
}

/** Whether a receipt is valid for what is expected: `verify` for every proof system. @throws as `verify` */
export async function verifyReceipt(receipt: unknown, expected: Expected): Promise<boolean> {
  return (await explainReceipt(receipt, expected)) === null
}
