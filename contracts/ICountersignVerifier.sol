// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  ICountersignVerifier
/// @notice What a contract that acts on proven inferences calls: one verifier serves any number of models. A
///         verification key is a blob named by its keccak256 and registered once by anybody; what to trust is
///         the caller's choice of `key`, never a matter of who registered it.
/// @dev    CountersignVerifier implements it. `words` and `proof` come from a receipt: `countersign calldata`, or
///         `toSolidityArguments` of the package. A caller must know by itself which key and which context it
///         wants: a proof for any other context is a proof of something else.
interface ICountersignVerifier {
    // ---------------------------------------------------------------- errors

    /// The blob does not begin with the magic word of this format.
    error UnknownFormat();
    /// The blob does not have 26 words.
    error WrongLength(uint256 expected, uint256 given);
    /// A flag other than the development flag is set.
    error UnknownFlags(uint256 flags);
    /// The header's numbers of words and outputs contradict each other.
    error WrongWordCounts(uint256 words, uint256 outputs);
    /// A point of the blob, by its first word, is infinity, off the curve or outside the subgroup.
    error InvalidPoint(uint256 word);
    /// Nobody contributed to a phase of the setup, so anybody can forge.
    error Uncontributed();
    /// No key of this digest is registered.
    error UnknownKey(bytes32 key);
    /// A development key, in a call that does not accept one.
    error DevKey(bytes32 key);
    /// The number of words is not the key's.
    error WrongCount(uint256 expected, uint256 given);
    /// Too little gas for a verdict. Without this a starved call would call a valid proof invalid.
    error NotEnoughGas();
    /// A precompile of EIP-196 failed on valid points: this chain lacks it or prices it otherwise.
    error PrecompileFailed();

    // ---------------------------------------------------------------- events

    /// A key was registered for the first time.
    event KeyRegistered(bytes32 indexed key, bytes32 indexed model, bool dev, uint256 words);

    // ---------------------------------------------------------- registration

    /// @notice Stores a key for ever; does nothing if it is registered already. Refuses development keys.
    /// @param  blob the key's canonical bytes (docs/FORMATS.md), 832 of them
    /// @return key keccak256 of the blob
    function registerKey(bytes calldata blob) external returns (bytes32 key);

    /// @notice As `registerKey`, and accepts development keys, whose maker can forge receipts.
    function registerDevKey(bytes calldata blob) external returns (bytes32 key);

    // ---------------------------------------------------------- verification

    /// @notice Whether `proof` shows that the key's model, run in `context`, gave what `words` say. False for
    ///         an invalid proof, and for a word that is not below the order of the curve. Reverts on misuse: an
    ///         unknown key, a development key, another number of words than the key's, too little gas.
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

    /// @notice As `verifyInference`, and accepts development keys. Not for anything of value.
    function verifyDevInference(
        bytes32 key,
        bytes32 context,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external view returns (bool);

    // ----------------------------------------------------------------- views

    /// @notice Whether a key is registered.
    function isRegistered(bytes32 key) external view returns (bool);

    /// @notice Whether a registered key is a development key.
    function isDev(bytes32 key) external view returns (bool);

    /// @notice The model a registered key belongs to.
    function modelOf(bytes32 key) external view returns (bytes32);

    /// @notice How many words a statement under a registered key has, and how many of them, the first, are outputs.
    function wordsOf(bytes32 key) external view returns (uint256 words, uint256 outputs);
}
