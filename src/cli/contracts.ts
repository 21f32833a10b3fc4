/**
 * The file that says where contracts are, as `countersign contracts deploy` writes it, and what follows from it for
 * claims: the domain that they are signed for, and the contracts that a policy names. Without one, claims are made for
 * use without a chain.
 */
import type { Domain, PolicyContracts } from "../attest/index.js"
import { addressOf, type Deployment, parseDeployment } from "../chain/deployment.js"
import { UsageError } from "../errors.js"
import { readJson } from "../files.js"
import type { Hex } from "../statement/strict.js"
import type { ToolCommand } from "./options.js"
import { hex32 } from "./options.js"

/** Reads such a file. @throws UsageError, FileError */
export const readContracts = (path: string): Deployment =>
  parseDeployment(readJson(path, "Run `countersign contracts deploy` first"), `\`${path}\``)

/** What claims are made for. */
export interface ClaimPlace {
  readonly domain: Domain
  /** For a policy of that finality. */
  policyContracts(finality: "escrow" | "none"): PolicyContracts
}

/** Adds `--contracts FILE` and `--model-id HEX`, and gives what reads the choice. */
export function withContracts(
  command: ToolCommand,
): (options: { readonly contracts?: string; readonly modelId?: string }) => ClaimPlace {
  command
    .option("--contracts <file>", "where the contracts are; without it claims hold without a chain alone")
    .option("--model-id <hex>", "id of the model at the ModelRegistry that can recall it")
  return ({ contracts: path, modelId }) => {
    const id = modelId === undefined ? undefined : hex32("--model-id", modelId)
    if (path === undefined && id !== undefined)
      throw new UsageError({ what: "--model-id", fix: "Name the registry's file with --contracts FILE" })
    const zero: Hex = `0x${"0".repeat(40)}`
    const held = path === undefined ? undefined : readContracts(path)
    return {
      domain: held ? { chainId: held.chainId, verifyingContract: addressOf(held, "SignOffBook") } : "offline",
      policyContracts: (finality) => {
        if (finality === "escrow" && !held)
          throw new UsageError({
            what: "the policy wants an escrow to be final",
            fix: "Name its file with --contracts FILE",
          })
        return {
          registry: held && id ? addressOf(held, "ModelRegistry") : zero,
          modelId: id ?? `0x${"0".repeat(64)}`,
          escrow: held && finality === "escrow" ? addressOf(held, "Escrow") : zero,
        }
      },
    }
  }
}
