/**
 * The account that a command signs with. Its key comes from an encrypted keystore (`--keystore FILE`, the JSON that
 * wallets write), whose password stands in COUNTERSIGN_PASSWORD or is asked for on a terminal, or from
 * COUNTERSIGN_PRIVATE_KEY. Never from an argument: those are seen by every process and kept in histories.
 */
import { Option } from "commander"
import type { Wallet } from "ethers"
import { UsageError } from "../errors.js"
import { readWhole } from "../files.js"
import { askSecret, environment, onProgress } from "./terminal.js"

export const keystoreOption = new Option(
  "--keystore <file>",
  "encrypted key to sign with; its password is asked for, or in COUNTERSIGN_PASSWORD",
)

/** Longest keystore; wallets write less than a kilobyte. */
const mostCharacters = 2 ** 16

/**
 * The account of a keystore, or else of COUNTERSIGN_PRIVATE_KEY.
 * @throws UsageError if there is neither or both, the password is wrong, or what is given is no key: never with any of it
 */
export async function openAccount(keystore: string | undefined): Promise<Wallet> {
  const key = environment("COUNTERSIGN_PRIVATE_KEY")
  if (keystore !== undefined && key !== undefined)
    throw new UsageError({
      what: "--keystore and COUNTERSIGN_PRIVATE_KEY exclude each other",
      fix: "Leave one of them out",
    })
  if (keystore !== undefined) return await decrypt(keystore)
  if (key !== undefined) return await fromKey(key)
  throw new UsageError({
    what: "there is no key to sign with",
    expected: "--keystore FILE, or COUNTERSIGN_PRIVATE_KEY in the environment",
  })
}

async function fromKey(text: string): Promise<Wallet> {
  const { Wallet } = await import("ethers")
  try {
    return new Wallet(text.replace(/^(0x)?/, "0x"))
  } catch {
    // without the cause, which could quote the key
    throw new UsageError({
      what: "COUNTERSIGN_PRIVATE_KEY is no private key",
      expected: "32 bytes in hexadecimal",
    })
  }
}

/** What is a key, and no name of a file: with or without 0x. */
const keyForm = /^(0x)?[0-9a-f]{64}$/i

async function decrypt(path: string): Promise<Wallet> {
  // never repeated: what an argument was, others saw already
  if (keyForm.test(path.trim()))
    throw new UsageError({
      what: "--keystore takes a file, and was given what looks like a key",
      fix: "Use that key no more: arguments are seen by every process and kept in histories",
    })
  const text = new TextDecoder().decode(readWhole(path))
  const { isKeystoreJson, Wallet } = await import("ethers")
  const where = `\`${path}\``
  if (text.length > mostCharacters || !isKeystoreJson(text))
    throw new UsageError({
      what: "is no encrypted keystore",
      where,
      expected: "version 3, as wallets write it",
    })
  const password = environment("COUNTERSIGN_PASSWORD") ?? (await askSecret(`Password of ${path}:`))
  try {
    const report = (part: number) =>
      onProgress({ stage: "keystore", done: Math.floor(100 * part), total: 100 })
    const account = await Wallet.fromEncryptedJson(text, password, report)
    return new Wallet(account.privateKey)
  } catch {
    throw new UsageError({
      what: "cannot be opened: the password is wrong, or the keystore is damaged",
      where,
    })
  }
}
