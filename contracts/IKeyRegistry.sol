// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  IKeyRegistry
/// @notice What both verifiers share: keys are blobs named by their keccak256, registered once by anybody, and
///         calls fail for the same reasons.
interface IKeyRegistry {
    // ---------------------------------------------------------------- errors

    /// The blob does not begin with the magic word of this format.
    error UnknownFormat();
    /// The blob does not have the length of its format, or the one that its header implies.
    error WrongLength(uint256 expected, uint256 given);
    /// A flag other than the development flag is set.
    error UnknownFlags(uint256 flags);
    /// A point of the blob, by its first word, is infinity, off the curve or outside the subgroup.
    error InvalidPoint(uint256 word);
    /// Nobody contributed to a phase of the setup, so anybody can forge.
    error Uncontributed();
    /// No key of this digest is registered.
    error UnknownKey(bytes32 key);
    /// A development key, in a call that does not accept one.
    error DevKey(bytes32 key);
    /// The number of words, or of outputs, inputs or signals, is not the key's.
    error WrongCount(uint256 expected, uint256 given);
    /// Too little gas for a verdict. Without this a starved call would call a valid proof invalid.
    error NotEnoughGas();
    /// A precompile of EIP-196 failed on valid points: this chain lacks it or prices it otherwise.
    error PrecompileFailed();

    // ---------------------------------------------------------- registration

    /// @notice Stores a key for ever; does nothing if it is registered already. Refuses development keys.
    /// @param  blob the key's canonical bytes (docs/FORMATS.md)
    /// @return key keccak256 of the blob
    function registerKey(bytes calldata blob) external returns (bytes32 key);

    /// @notice As `registerKey`, and accepts development keys, whose maker can forge receipts.
    function registerDevKey(bytes calldata blob) external returns (bytes32 key);

    // ----------------------------------------------------------------- views

    /// @notice Whether a key is registered.
    function isRegistered(bytes32 key) external view returns (bool);

    /// @notice Whether a registered key is a development key.
    function isDev(bytes32 key) external view returns (bool);

    /// @notice The model a registered key belongs to.
    function modelOf(bytes32 key) external view returns (bytes32);
}
