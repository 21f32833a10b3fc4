/**
 * The stage on which random calls are made (escrow-model.ts): an escrow, tokens and accounts of every hostile kind, a
 * registry that answers as told, and a verifier that knows the truth, for sequences that are too many for real proofs.
 */
import {
  AbiCoder,
  type Contract,
  dataSlice,
  HDNodeWallet,
  hexlify,
  type Interface,
  keccak256,
  toUtf8Bytes,
  ZeroAddress,
} from "ethers"
import { compileSolidity } from "../../contracts/compile.js"
import { deploy } from "../../examples/chain.js"
import { artifact } from "./chain.js"
import { hostile } from "./hostile-contracts.js"
import { digestOfWords, type Settlement, send } from "./settlement.js"

/** A verifier for which proving is hashing, and the true output of the one input is known: false ones have no proof. */
const source = `
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IEscrow} from "countersign/contracts/IEscrow.sol";
import {IKeyRegistry} from "countersign/contracts/IKeyRegistry.sol";

contract KnowingVerifier {
    bytes32 private immutable _model;
    bytes32 private immutable _words;
    bytes32 private immutable _key;
    bytes32 private immutable _layout;
    bytes32 private immutable _otherLayout;

    /// Under the key outputs are public, under every other one committed to.
    constructor(bytes32 model, bytes32 words, bytes32 key, bytes32 layout, bytes32 otherLayout) {
        (_model, _words, _key, _layout, _otherLayout) = (model, words, key, layout, otherLayout);
    }
    function modelOf(bytes32) external view returns (bytes32) { return _model; }
    function layoutOf(bytes32 key) external view returns (bytes32) { return key == _key ? _layout : _otherLayout; }
    function wordsOf(bytes32) external pure returns (uint256, uint256) { return (COUNT, OUTPUTS); }
    function provenanceOf(bytes32) external pure returns (IKeyRegistry.Provenance memory made) {
        (made.setup, made.contributors) = (IKeyRegistry.Setup.Ceremony, 1);
    }
    function verifyInference(bytes32 key, bytes32 context, uint256[] calldata words, uint256[10] calldata proof)
        external view returns (bool)
    {
        if (keccak256(abi.encodePacked(words)) != _words) return false;
        return proof[0] == uint256(keccak256(abi.encode(key, context)));
    }
}

interface IBalances { function balanceOf(address) external view returns (uint256); }

/// All that can be seen of an escrow by some tokens, accounts, recipients and requests, in one call.
contract Probe {
    function look(IEscrow escrow, address[] calldata tokens, address[] calldata accounts, address[] calldata recipients, bytes32[] calldata ids)
        external view returns (uint256[] memory seen)
    {
        seen = new uint256[](tokens.length * (1 + accounts.length + recipients.length) + ids.length);
        uint256 at = 0;
        for (uint256 i = 0; i < tokens.length; i++) {
            seen[at++] = balance(tokens[i], address(escrow));
            for (uint256 j = 0; j < accounts.length; j++) seen[at++] = escrow.creditOf(tokens[i], accounts[j]);
            for (uint256 j = 0; j < recipients.length; j++) seen[at++] = balance(tokens[i], recipients[j]);
        }
        for (uint256 i = 0; i < ids.length; i++) seen[at++] = uint256(escrow.stateOf(ids[i]));
    }
    function balance(address token, address of_) private view returns (uint256) {
        return token == address(0) ? of_.balance : IBalances(token).balanceOf(of_);
    }
}
`

export interface Party {
  readonly address: string
  /** Accounts have a key; contracts have none, and act through their owner. */
  readonly wallet?: HDNodeWallet
  /** Where it has its money sent. */
  readonly sink: string
}
/** Who and what plays. */
export interface Stage {
  readonly s: Settlement
  readonly escrow: Contract
  readonly probe: Contract
  readonly account: Interface
  /** Addresses, in the order of `names`. */
  readonly tokens: readonly string[]
  readonly token: Interface
  readonly parties: readonly Party[]
  /** Not the honest one. */
  readonly registry: Contract
  /** The account that contracts act for. */
  readonly driver: string
  /** A proof under a key in a context of the true words. */
  readonly proof: (key: string, context: string) => bigint[]
  /** Whether there is a key under which outputs are committed to. */
  readonly commits: boolean
}

/** Canonical JSON of a layout whose outputs are committed to, as far as contracts read it. */
export const committedJson = hexlify(toUtf8Bytes('{"outputs":[{"visibility":"committed"}]}'))
const mnemonic = "test test test test test test test test test test test junk"
/** Parties that are accounts come first, then contracts. */
export const accounts = 4
export const partyCount = 7
export const names = ["ETH", "honest", "silent", "blocking", "seizing", "charging", "re-entering", "lying"]
export const [blocking, seizing, charging, reentering, lying] = [3, 4, 5, 6, 7]
/** Whom the blocking token blocks; the contracts that take no ETH, and that call back when they are paid in it. */
export const [blocked, refusing, recalling] = [1, 5, 6]
const abi = AbiCoder.defaultAbiCoder()

/** Deploys all that is on the stage. @param real whether proofs are proofs, and the verifier the real one */
export async function setStage(s: Settlement, real: boolean): Promise<Stage> {
  const { subject } = s
  const truth = subject.words()
  const text = source.replace("COUNT", `${truth.length}`).replace("OUTPUTS", `${subject.outputs}`)
  const own = (name: string, ...args: unknown[]) =>
    deploy(compileSolidity({ "world.sol": text }, name), s.signer, ...args)
  const digests = [digestOfWords(truth), subject.key, subject.layout, keccak256(committedJson)]
  const knowing = await own("KnowingVerifier", subject.model, ...digests)
  const verifier = real ? s.verifier : knowing
  const escrow = await deploy(artifact("Escrow"), s.signer, s.book.target, verifier.target)
  const driver = s.parties.approver
  const deployed: Contract[] = []
  for (const _ of names.slice(1)) deployed.push(await hostile("HostileToken", s.signer))
  const contracts: Contract[] = []
  for (let i = 0; i < partyCount - accounts; i++) contracts.push(await hostile("HostileAccount", s.signer))
  const sink = (i: number) => dataSlice(keccak256(abi.encode(["address", "uint256"], [escrow.target, i])), 12)
  const parties: Party[] = Array.from({ length: accounts }, (_, i) => {
    const wallet = HDNodeWallet.fromPhrase(mnemonic, undefined, `m/44'/60'/0'/0/${i + 1}`)
    return { address: wallet.address, wallet, sink: sink(i) }
  })
  for (const [i, { target }] of contracts.entries())
    parties.push({ address: `${target}`, sink: sink(accounts + i) })
  const registry = await hostile("HostileRegistry", s.signer, subject.model, subject.key)
  const tokens = [ZeroAddress, ...deployed.map(({ target }) => `${target}`)]
  for (const [i, token] of deployed.entries()) {
    for (const { address, wallet } of parties) {
      await send(driver, token, "mint", [address, 2n ** 200n])
      const data = token.interface.encodeFunctionData("approve", [escrow.target, 2n ** 200n])
      if (wallet)
        await (await (await s.provider.getSigner(address)).sendTransaction({ to: token.target, data })).wait()
      else
        await send(driver, contracts[parties.findIndex((p) => p.address === address) - accounts], "act", [
          token.target,
          0n,
          data,
        ])
    }
    if (names[i + 1] === "silent") await send(driver, token, "setSilent", [])
    if (i + 1 === blocking) await send(driver, token, "setBlocked", [parties[blocked].address])
    if (i + 1 === charging) await send(driver, token, "setFee", [10])
  }
  await send(driver, contracts[refusing - accounts], "refuse", [])
  const again = escrow.interface.encodeFunctionData("withdraw", [ZeroAddress, parties[recalling].address])
  // also while they are asked for a signature
  for (const contract of contracts) await send(driver, contract, "setCallback", [escrow.target, again])
  const proof = real
    ? (_: string, context: string) => subject.proof(context, truth)
    : (key: string, context: string) => [
        BigInt(keccak256(abi.encode(["bytes32", "bytes32"], [key, context]))),
        ...Array<bigint>(9).fill(0n),
      ]
  return {
    ...{ s, escrow, probe: await own("Probe"), account: contracts[0].interface, tokens },
    ...{ token: deployed[0].interface, parties, registry, driver: driver.address, proof, commits: !real },
  }
}
