/** `countersign verify`: the verdict on a receipt. */
import { receiptCommand } from "../receipts.js"

export const verifyCommand = receiptCommand(
  "verify",
  "check a receipt; exit code 1 if it is not valid",
  (_, { verdict }) => verdict,
)
