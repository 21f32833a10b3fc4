/** What a transaction takes in ETH, and whether an account has it: asked before anything is sent. */
import { formatEther, type Provider } from "ethers"
import type { Hex } from "../statement/strict.js"
import { ChainError, onChain } from "./errors.js"

/** The most wei that a unit of gas takes at today's price. */
export async function gasPrice(provider: Provider): Promise<bigint> {
  const { maxFeePerGas, gasPrice: legacy } = await onChain("price of gas", () => provider.getFeeData())
  return maxFeePerGas ?? legacy ?? 0n
}

/** @throws ChainError if an account has less wei than is needed for the amount and the gas */
export async function checkBalance(
  provider: Provider,
  from: Hex,
  needed: bigint,
  action: string,
): Promise<void> {
  const balance = await onChain(action, () => provider.getBalance(from))
  if (balance < needed)
    throw new ChainError("refused", {
      where: action,
      what: `${from} has too little ETH for the amount and the gas`,
      expected: `${formatEther(needed)} ETH`,
      given: `${formatEther(balance)} ETH`,
    })
}
