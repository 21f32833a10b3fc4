/**
 * The contract of a key whose proof system has one for each key. It is snarkjs's work and under GPL-3.0, so it is not in
 * the verifier's entry.
 */
import { checkOptions, checkText, checkThing } from "../arguments.js"
import { UsageError } from "../errors.js"
import { systemOf } from "../systems/index.js"
import type { VerificationKey } from "../systems/verifiers.js"
import { checkKey, keyDigest } from "../verifier/key.js"
import { solidityLibrary } from "../verifier/library.js"
import { type CallOptions, checkDev } from "../verifier/solidity.js"

/**
 * Solidity source of a key's verifier, with the library that reads what its model said (`solidityLibrary`) behind it.
 * @param name what the library is called
 * @throws UsageError for a key that somebody can forge for unless it is allowed, and for one that is registered at a
 * contract instead; FileError on a malformed key
 */
export async function solidityVerifier(
  key: VerificationKey,
  name: string,
  options: CallOptions = {},
): Promise<string> {
  checkThing("verificationKey", key, "key")
  checkText(name, "name")
  checkOptions(options)
  const checked = checkKey(key)
  const { contract } = systemOf(checked)
  if (!contract)
    throw new UsageError({
      what: `keys of ${checked.proofSystem} have no contract of their own`,
      fix: "Register them at the one of their proof system: `countersign export key` writes the call",
    })
  const library = solidityLibrary(key, name, options)
  const source = await contract(checked, keyDigest(key), checkDev(key, options))
  return `${source}\n${library.slice(library.indexOf("/// @notice"))}`
}
