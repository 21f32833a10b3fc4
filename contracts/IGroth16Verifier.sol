// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

import {IKeyRegistry} from "./IKeyRegistry.sol";

/// @title  IGroth16Verifier
/// @notice What a contract that acts on inferences proven with `groth16` calls: as ICountersignVerifier, but a
///         statement is a list of integers instead of packed words, and the model is named by the caller.
/// @dev    Groth16Verifier implements it. `outputs`, `inputs` and `proof` come from a receipt: `countersign
///         calldata`, or `toSolidityArguments` of the package.
interface IGroth16Verifier is IKeyRegistry {
    // ---------------------------------------------------------------- errors

    /// The header's numbers of signals and outputs contradict each other.
    error WrongSignalCounts(uint256 signals, uint256 outputs);

    // ---------------------------------------------------------------- events

    /// A key was registered for the first time.
    event KeyRegistered(bytes32 indexed key, bytes32 indexed model, bool dev, uint256 signals);

    // ---------------------------------------------------------- verification

    /// @notice Whether `proof` shows that `model`, run in `context`, gave `outputs` (on `inputs`, where the
    ///         key has public inputs). False for an invalid proof, a value beyond ±2^52 or another model's key.
    ///         Reverts on misuse: an unknown key, a development key or one that nobody contributed to, other counts
    ///         than the key's, too little gas.
    /// @param  key     digest of a registered key
    /// @param  context 32 bytes of the caller's choice that the proof must have been made for
    /// @param  outputs all outputs of the model as integers, in layout order, row-major
    /// @param  inputs  its public inputs likewise, or none
    /// @param  proof   A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y
    function verifyInference(
        bytes32 key,
        bytes32 model,
        bytes32 context,
        int256[] calldata outputs,
        int256[] calldata inputs,
        uint256[8] calldata proof
    ) external view returns (bool);

    /// @notice As `verifyInference`, and accepts keys that `registerDevKey` alone takes. Not for anything of value.
    function verifyDevInference(
        bytes32 key,
        bytes32 model,
        bytes32 context,
        int256[] calldata outputs,
        int256[] calldata inputs,
        uint256[8] calldata proof
    ) external view returns (bool);

    /// @notice Whether `proof` is valid for raw public signals; what they mean is the caller's business.
    ///         False as well for a signal that is not below the order of the curve.
    function verifyProof(bytes32 key, uint256[] calldata signals, uint256[8] calldata proof)
        external
        view
        returns (bool);
}
