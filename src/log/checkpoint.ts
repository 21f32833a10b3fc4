/**
 * Checkpoints: somebody's signature under the size and root of a log at a time. A log alone shows that it agrees with
 * itself; a checkpoint that another keeps shows that since then nothing was changed, taken out or put in between. It
 * is an EIP-712 struct in the domain of the attestations.
 */
import { hexToBytes } from "@noble/hashes/utils.js"
import { recoverAddress, TypedDataEncoder } from "ethers"
import { checkRecord } from "../arguments.js"
import { readOr } from "../attest/attestation.js"
import { keccak } from "../attest/canonical.js"
import { typedDomain } from "../attest/digest.js"
import { parseDomain, whole } from "../attest/read.js"
import { type Accounts, type ClaimSigner, signatureProblem } from "../attest/signature.js"
import type { Domain, Signed } from "../attest/structs.js"
import { bytes32, fields, fromJson, type Hex, hexBytes } from "../statement/strict.js"
import { type Head, leafCount, parseHead } from "./tree.js"

/** A log as it is at a time; `anchor` of the contract SignOffBook takes the first three. */
export interface LogHead extends Head {
  /** The log's name: 32 bytes drawn when it was made, which its entry 0 has. */
  readonly log: Hex
}

export interface Checkpoint extends LogHead {
  /** Seconds since 1970. */
  readonly time: number
}
export type SignedCheckpoint = Signed<Checkpoint>

const types = {
  Checkpoint: [
    { name: "log", type: "bytes32" },
    { name: "size", type: "uint256" },
    { name: "root", type: "bytes32" },
    { name: "time", type: "uint64" },
  ],
}
const encoder = TypedDataEncoder.from(types)

/** What is signed of a checkpoint. Source: EIP-712. */
export function checkpointDigest({ log, size, root, time }: Checkpoint, domain: Domain): Hex {
  const separator = TypedDataEncoder.hashDomain(typedDomain(domain))
  const struct = encoder.hash({ log, size, root, time })
  return keccak(hexToBytes(`1901${separator.slice(2)}${struct.slice(2)}`))
}

/** Signs a head. @throws whatever the signer throws */
export async function signCheckpoint(
  { log, size, root, time }: Checkpoint,
  domain: Domain,
  signer: ClaimSigner,
): Promise<SignedCheckpoint> {
  const value = { log, size, root, time }
  const signature = (await signer.signTypedData(typedDomain(domain), types, value)).toLowerCase() as Hex
  return { ...value, domain, signature }
}

/** Reads a signed checkpoint (an object, or JSON text) strictly; says nothing about the signature. @throws FileError */
export function parseCheckpoint(value: unknown, path = "checkpoint"): SignedCheckpoint {
  const json = fromJson(value, path, { characters: 2 ** 15, values: 64 })
  const given = fields(json, path, ["log", "size", "root", "time", "domain", "signature"])
  return {
    log: bytes32(given.log, `${path}.log`),
    size: leafCount(given.size, `${path}.size`),
    root: parseHead(given, path).root,
    time: whole(given.time, `${path}.time`, 0, Number.MAX_SAFE_INTEGER),
    domain: parseDomain(given.domain, `${path}.domain`),
    signature: hexBytes(given.signature, `${path}.signature`, 1, 8192),
  }
}

/** Whether a checkpoint (an object, or JSON text) is signed by somebody; `explainCheckpoint` says why not. */
export const verifyCheckpoint = async (
  checkpoint: unknown,
  signer: Hex,
  accounts?: Accounts,
): Promise<boolean> => (await explainCheckpoint(checkpoint, signer, accounts)) === null

/**
 * Null for a checkpoint (an object, or JSON text) that is signed by somebody, else why not. Contracts that sign are
 * asked through `accounts`. It does not say that the log is so: `verifyLog` does, or a proof against this head.
 * @throws what `accounts` throw when their chain cannot be asked
 */
export async function explainCheckpoint(
  checkpoint: unknown,
  signer: Hex,
  accounts?: Accounts,
): Promise<string | null> {
  if (accounts !== undefined) checkRecord(accounts, "accounts")
  const given = readOr(() => parseCheckpoint(checkpoint), "checkpoint")
  if (typeof given === "string") return given
  const digest = checkpointDigest(given, given.domain)
  return await signatureProblem(digest, given.signature, signer.toLowerCase() as Hex, accounts)
}

/** The account that signed a checkpoint, or null: for show. Compare it with one that you know. */
export function checkpointSigner(checkpoint: SignedCheckpoint): Hex | null {
  try {
    const digest = checkpointDigest(checkpoint, checkpoint.domain)
    return recoverAddress(digest, checkpoint.signature).toLowerCase() as Hex
  } catch {
    return null
  }
}
