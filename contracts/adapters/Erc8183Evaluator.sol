// SPDX-License-Identifier: MIT
pragma solidity ^0.8.19;

import {Digests} from "../Digests.sol";
import {ICountersignVerifier} from "../ICountersignVerifier.sol";

/// @notice What is needed of a contract of jobs (ERC-8183, draft).
interface IErc8183 {
    function complete(uint256 jobId, bytes32 reason, bytes calldata optParams) external;
}

/// @title  Erc8183Evaluator
/// @notice An evaluator of one client's jobs that completes a job when the inference it is about was proven, and never
///         otherwise. It does not reject: a job without a proof expires, and its client is refunded.
/// @dev    The client deploys it, names it when creating a job, and then says once what the job is about. A provider
///         looks at `expectations` before it works, and leaves time for the proof before the job expires.
contract Erc8183Evaluator {
    /// What a job is about: a model by its key, and keccak256 of the input words.
    struct Expectation {
        bytes32 key;
        bytes32 input;
    }

    error NotClient(address caller);
    error AlreadySaid(uint256 jobId);
    error NothingExpected(uint256 jobId);
    error WrongWords();
    error InvalidProof();

    event Expected(uint256 indexed jobId, bytes32 key, bytes32 input);

    IErc8183 public immutable commerce;
    ICountersignVerifier public immutable verifier;
    address public immutable client;

    mapping(uint256 jobId => Expectation) public expectations;

    constructor(IErc8183 commerce_, ICountersignVerifier verifier_) {
        commerce = commerce_;
        verifier = verifier_;
        client = msg.sender;
    }

    /// @notice Says what a job is about, for ever. By the client.
    function expect(uint256 jobId, bytes32 key, bytes32 input) external {
        if (msg.sender != client) revert NotClient(msg.sender);
        if (expectations[jobId].key != bytes32(0)) revert AlreadySaid(jobId);
        expectations[jobId] = Expectation(key, input);
        emit Expected(jobId, key, input);
    }

    /// @notice Context that the proof of a job is made for.
    function contextOf(uint256 jobId) public view returns (bytes32) {
        return keccak256(abi.encode("countersign.8183", block.chainid, address(commerce), jobId, address(this)));
    }

    /// @notice Completes a job by a proof of what it is about; the reason is the digest of the output words. By anybody.
    function complete(uint256 jobId, uint256[] calldata words, uint256[10] calldata proof) external {
        Expectation memory expected = expectations[jobId];
        if (expected.key == bytes32(0)) revert NothingExpected(jobId);
        (uint256 count, uint256 outputs) = verifier.wordsOf(expected.key);
        if (words.length != count || Digests.ofWords(words, outputs, count) != expected.input) revert WrongWords();
        if (!verifier.verifyInference(expected.key, contextOf(jobId), words, proof)) revert InvalidProof();
        commerce.complete(jobId, Digests.ofWords(words, 0, outputs), "");
    }
}
