// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

import {IKeyRegistry} from "./IKeyRegistry.sol";

/// @title  ICountersignVerifier
/// @notice What a contract that acts on proven inferences calls: one verifier serves any number of models. A
///         verification key is a blob named by its keccak256 and registered once by anybody; what to trust is
///         the caller's choice of `key`, never a matter of who registered it.
/// @dev    CountersignVerifier implements it. `words` and `proof` come from a receipt: `countersign calldata`, or
///         `toSolidityArguments` of the package. A caller must know by itself which key and which context it
///         wants: a proof for any other context is a proof of something else.
interface ICountersignVerifier is IKeyRegistry {
    // ---------------------------------------------------------------- errors

    /// The header's numbers of words and outputs contradict each other.
    error WrongWordCounts(uint256 words, uint256 outputs);
    /// The model of a key of private weights is not the digest of its architecture and its commitment to them.
    error WrongModel(bytes32 expected, bytes32 given);

    // ---------------------------------------------------------------- events

    /// A key was registered for the first time.
    event KeyRegistered(bytes32 indexed key, bytes32 indexed model, bool dev, uint256 words);

    // ---------------------------------------------------------- verification

    /// @notice Whether `proof` shows that the key's model, run in `context`, gave what `words` say. False for
    ///         an invalid proof, and for a word that is not below the order of the curve. Reverts on misuse: an
    ///         unknown key, a development key or one that nobody contributed to, another number of words than the
    ///         key's, too little gas.
    /// @param  key     digest of a registered key; it binds the model
    /// @param  context 32 bytes of the caller's choice that the proof must have been made for
    /// @param  words   outputs, then inputs: packed integers of public ones (`CountersignWords` reads them), the
    ///                 commitment of committed ones, nothing of hidden ones
    /// @param  proof   A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y, D.x, D.y
    function verifyInference(
        bytes32 key,
        bytes32 context,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external view returns (bool);

    /// @notice As `verifyInference`, and accepts keys that `registerDevKey` alone takes. Not for anything of value.
    function verifyDevInference(
        bytes32 key,
        bytes32 context,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external view returns (bool);

    // ----------------------------------------------------------------- views

    /// @notice How many words a statement under a registered key has, and how many of them, the first, are outputs.
    function wordsOf(bytes32 key) external view returns (uint256 words, uint256 outputs);

    /// @notice Digest of the architecture of a registered key whose weights are private, of which its model is one; zero
    ///         where they are not.
    function architectureOf(bytes32 key) external view returns (bytes32);

    /// @notice keccak256 of the canonical JSON of a registered key's layout: what its words mean.
    function layoutOf(bytes32 key) external view returns (bytes32);
}
