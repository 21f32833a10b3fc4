/** Contracts that parties may bring along: tokens, signers, recipients and registries that do what no honest one does. */
import type { Contract, Signer } from "ethers"
import { type Artifact, compileSolidity } from "../../contracts/compile.js"
import { deploy } from "../../examples/chain.js"

const source = `
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IModelRegistry} from "countersign/contracts/IModelRegistry.sol";

/// A token that, as told, keeps a fee, returns nothing, says that it failed, refuses an account or to move nothing, and
/// calls somebody while it moves money.
contract HostileToken {
    mapping(address => uint256) public balanceOf;
    mapping(address => mapping(address => uint256)) public allowance;
    uint256 public feePercent;
    bool public silent;
    bool public lying;
    bool public refusesNothing;
    address public blocked;
    address public target;
    bytes public data;
    bytes public answer;

    function mint(address to, uint256 amount) external { balanceOf[to] += amount; }
    function seize(address from, uint256 amount) external { balanceOf[from] -= amount; }
    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }
    function setFee(uint256 percent) external { feePercent = percent; }
    function setSilent() external { silent = true; refusesNothing = true; }
    function setLying() external { lying = !lying; }
    function setBlocked(address account) external { blocked = account; }
    function setCallback(address to, bytes calldata what) external { (target, data) = (to, what); }

    function transfer(address to, uint256 amount) external returns (bool) { return move(msg.sender, to, amount); }
    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        allowance[from][msg.sender] -= amount;
        return move(from, to, amount);
    }
    function move(address from, address to, uint256 amount) private returns (bool) {
        if (lying) return false;
        require(from != blocked && to != blocked, "blocked");
        require(amount != 0 || !refusesNothing, "nothing");
        balanceOf[from] -= amount;
        balanceOf[to] += amount - (amount * feePercent) / 100;
        if (target != address(0)) (, answer) = target.call(data);
        if (silent) assembly { return(0, 0) }
        return true;
    }
}

/// An account that signs by ERC-1271, honestly or not, acts for its owner, and takes ETH or does not.
contract HostileAccount {
    enum Mode { Yes, No, Garbage, Short, Reverts, Burns, Bomb, Reenters }
    Mode public mode;
    bool public refuses;
    address public target;
    bytes public data;
    bytes public answer;

    function set(Mode to) external { mode = to; }
    function refuse() external { refuses = true; }
    function setCallback(address to, bytes calldata what) external { (target, data) = (to, what); }
    function act(address to, uint256 value, bytes calldata what) external payable {
        (bool ok, bytes memory said) = to.call{value: value}(what);
        if (!ok) assembly { revert(add(said, 0x20), mload(said)) }
    }
    function isValidSignature(bytes32, bytes calldata) external returns (bytes4) {
        if (mode == Mode.Yes) return 0x1626ba7e;
        if (mode == Mode.Garbage) return 0xdeadbeef;
        if (mode == Mode.Short) assembly { mstore(0, shl(224, 0x1626ba7e)) return(0, 4) }
        if (mode == Mode.Reverts) revert("no");
        if (mode == Mode.Burns) while (true) {}
        if (mode == Mode.Bomb) assembly { return(0, 1000000) }
        if (mode == Mode.Reenters) {
            (bool ok, bytes memory said) = target.call(data);
            if (!ok) assembly { revert(add(said, 0x20), mload(said)) }
            return 0x1626ba7e;
        }
        return 0xffffffff;
    }
    receive() external payable {
        require(!refuses, "no money");
        if (target != address(0)) (, answer) = target.call(data);
    }
}

/// A registry with one model, which answers the question for a recall as told.
contract HostileRegistry {
    enum Mode { No, Early, Garbage, Short, Reverts, Burns, Bomb }
    Mode public mode;
    IModelRegistry.ModelCommitment private _model;

    constructor(bytes32 model, bytes32 key) { (_model.modelHash, _model.vkHash) = (model, key); }
    function set(Mode to) external { mode = to; }
    function getModel(uint256) external view returns (IModelRegistry.ModelCommitment memory, bool, address) {
        return (_model, false, address(this));
    }
    function recalledAt(uint256) external view returns (uint64) {
        if (mode == Mode.Early) return 1;
        if (mode == Mode.Garbage) assembly { mstore(0, not(0)) return(0, 0x20) }
        if (mode == Mode.Short) assembly { mstore(0, 1) return(0, 0x1f) }
        if (mode == Mode.Reverts) assembly { mstore(0, 1) revert(0, 0x20) }
        if (mode == Mode.Burns) while (true) {}
        if (mode == Mode.Bomb) assembly { mstore(0, 1) return(0, 1000000) }
        return 0;
    }
}
`

const compiled = new Map<string, Artifact>()

/** Deploys one of the contracts above. */
export function hostile(
  name: "HostileToken" | "HostileAccount" | "HostileRegistry",
  signer: Signer,
  ...args: unknown[]
): Promise<Contract> {
  const found = compiled.get(name) ?? compileSolidity({ "hostile.sol": source }, name)
  compiled.set(name, found)
  return deploy(found, signer, ...args)
}

/** Ways not to sign, by their numbers in HostileAccount. */
export const refusals = { no: 1, garbage: 2, short: 3, reverts: 4, burns: 5, bomb: 6, reenters: 7 }
/** Ways not to say when a model was recalled, by their numbers in HostileRegistry. */
export const silences = { garbage: 2, short: 3, reverts: 4, burns: 5, bomb: 6 }
