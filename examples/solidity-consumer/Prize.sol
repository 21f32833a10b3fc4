// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ICountersignVerifier} from "countersign/contracts/ICountersignVerifier.sol";
import {Digits} from "./Digits.sol";

/// @title  Prize
/// @notice A stranger's contract: it pays whoever shows first that they have an image in which the model sees one digit.
///         The image stays theirs; what comes here is the model's output, and a proof that it is.
/// @dev    Two things make a proof good for one payment alone. The context has the claimant in it, so that nobody can
///         take a proof out of somebody's transaction and be paid instead; and chain and contract, so that none comes from
///         elsewhere. And the contract pays once: a proof can be made again by anyone, so its bytes name nothing.
///         `Digits` is what `countersign export solidity` writes: key, and readers of outputs. Its key here is one for
///         development, whose maker can forge; of a key of a ceremony, `verifyInference` is the function.
contract Prize {
    // ---------------------------------------------------------------- errors

    /// No inference under this key was proven with this output, for the caller.
    error NotProven();
    /// The model sees another digit.
    error OtherDigit(uint256 said);
    /// The prize was paid.
    error AlreadyPaid();
    /// The claimant takes no money.
    error NotTaken();

    // ---------------------------------------------------------------- events

    event Paid(address indexed winner, uint256 amount);

    // ---------------------------------------------------------------- fields

    ICountersignVerifier public immutable verifier;
    uint256 public immutable digit;
    address public winner;

    constructor(ICountersignVerifier verifier_, uint256 digit_) payable {
        verifier = verifier_;
        digit = digit_;
    }

    // ------------------------------------------------------------- functions

    /// @notice Pays the caller. `words` and `proof` are those of a receipt: `toSolidityArguments`, `countersign calldata`.
    function claim(uint256[] calldata words, uint256[10] calldata proof) external {
        if (winner != address(0)) revert AlreadyPaid();
        if (!verifier.verifyDevInference(Digits.KEY, contextOf(msg.sender), words, proof)) revert NotProven();
        uint256 said = digitIn(words);
        if (said != digit) revert OtherDigit(said);
        winner = msg.sender;
        uint256 amount = address(this).balance;
        emit Paid(msg.sender, amount);
        (bool taken, ) = msg.sender.call{value: amount}("");
        if (!taken) revert NotTaken();
    }

    // ----------------------------------------------------------------- views

    /// @notice What a proof for a claimant must be made for: `countersign prove --context`.
    function contextOf(address claimant) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), claimant));
    }

    /// @notice The digit that the model sees: the place of the largest output.
    function digitIn(uint256[] calldata words) public pure returns (uint256 best) {
        for (uint256 i = 1; i < Digits.LOGITS_COUNT; i++) {
            if (Digits.logitsAt(words, i) > Digits.logitsAt(words, best)) best = i;
        }
    }
}
