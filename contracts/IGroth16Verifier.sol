// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  IGroth16Verifier
/// @notice What a contract that acts on inferences proven with `groth16` calls: as ICountersignVerifier, but a
///         statement is a list of integers instead of packed words, and the model is named by the caller.
/// @dev    Groth16Verifier implements it. `outputs`, `inputs` and `proof` come from a receipt: `countersign
///         calldata`, or `toSolidityArguments` of the package.
interface IGroth16Verifier {
    // ---------------------------------------------------------------- errors

    /// The blob does not begin with the magic word of this format.
    error UnknownFormat();
    /// The length of the blob is not the one its header implies.
    error WrongLength(uint256 expected, uint256 given);
    /// A flag other than the development flag is set.
    error UnknownFlags(uint256 flags);
    /// The header's numbers of signals and outputs contradict each other.
    error WrongSignalCounts(uint256 signals, uint256 outputs);
    /// A point of the blob, by its first word, is infinity, off the curve or outside the subgroup.
    error InvalidPoint(uint256 word);
    /// Nobody contributed to a phase of the setup, so anybody can forge.
    error Uncontributed();
    /// No key of this digest is registered.
    error UnknownKey(bytes32 key);
    /// A development key, in a call that does not accept one.
    error DevKey(bytes32 key);
    /// The number of outputs, inputs or signals is not the key's.
    error WrongCount(uint256 expected, uint256 given);
    /// Too little gas for a verdict. Without this a starved call would call a valid proof invalid.
    error NotEnoughGas();
    /// A precompile of EIP-196 failed on valid points: this chain lacks it or prices it otherwise.
    error PrecompileFailed();

    // ---------------------------------------------------------------- events

    /// A key was registered for the first time.
    event KeyRegistered(bytes32 indexed key, bytes32 indexed model, bool dev, uint256 signals);

    // ---------------------------------------------------------- registration

    /// @notice Stores a key for ever; does nothing if it is registered already. Refuses development keys.
    /// @param  blob the key's canonical bytes (docs/FORMATS.md)
    /// @return key keccak256 of the blob
    function registerKey(bytes calldata blob) external returns (bytes32 key);

    /// @notice As `registerKey`, and accepts development keys, whose maker can forge receipts.
    function registerDevKey(bytes calldata blob) external returns (bytes32 key);

    // ---------------------------------------------------------- verification

    /// @notice Whether `proof` shows that `model`, run in `context`, gave `outputs` (on `inputs`, where the
    ///         key has public inputs). False for an invalid proof, a value beyond ±2^52 or another model's key.
    ///         Reverts on misuse: an unknown key, a development key, other counts than the key's, too little gas.
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

    /// @notice As `verifyInference`, and accepts development keys. Not for anything of value.
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

    // ----------------------------------------------------------------- views

    /// @notice Whether a key is registered.
    function isRegistered(bytes32 key) external view returns (bool);

    /// @notice Whether a registered key is a development key.
    function isDev(bytes32 key) external view returns (bool);

    /// @notice The model a registered key belongs to.
    function modelOf(bytes32 key) external view returns (bytes32);
}
