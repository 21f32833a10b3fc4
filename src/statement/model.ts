/**
 * The digest of a model whose weights are private. Everyone may know its architecture; of its integers there is the
 * commitment D_w, a point that says nothing of them and that only one choice of them opens (docs/SECURITY.md). The
 * model is both:
 *
 *     model = keccak256("countersign.model.1" ‖ architecture ‖ D_w.x ‖ D_w.y)      32 bytes each
 *
 * The name is padded with zeros on the right, so Solidity hashes the same words.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { type G1Json, parseG1, wordsOfG1 } from "./points.js"
import { bytes32, type Hex } from "./strict.js"
import { encodeWords } from "./words.js"

const tag = BigInt(`0x${bytesToHex(utf8ToBytes("countersign.model.1")).padEnd(64, "0")}`)

/**
 * The digest of a model with private weights.
 * @param architecture digest of all that is public of it
 * @param weights D_w
 * @throws FileError for arguments that are none
 */
export function privateModel(architecture: Hex, weights: G1Json): Hex {
  const words = [
    tag,
    BigInt(bytes32(architecture, "architecture")),
    ...wordsOfG1(parseG1(weights, "weights")),
  ]
  return `0x${bytesToHex(keccak_256(encodeWords(words)))}`
}
