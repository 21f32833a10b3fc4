// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  IKeyRegistry
/// @notice What both verifiers share: keys are blobs named by their keccak256, registered once by anybody, and
///         calls fail for the same reasons.
interface IKeyRegistry {
    // ----------------------------------------------------------------- types

    /// How a key was made, by its flags: by other tools that nothing here tells of; by a development setup, whose
    /// maker can forge; in a ceremony.
    enum Setup { External, Dev, Ceremony }

    /// What a key says of how it was made: claims of whoever registered it, bound by its digest. `countersign setup
    /// verify` checks those of a ceremony; all are zero where there was none.
    struct Provenance {
        Setup setup;
        // BLAKE2b-512 of the file of powers of tau
        bytes32[2] ptau;
        // how many people contributed; the beacon is none of them
        uint256 contributors;
        // keccak256 of the beacon's value and, as a word, its iterations; zero for none
        bytes32 beacon;
        // digest of the transcript, which names the contributors
        bytes32 transcript;
    }

    // ---------------------------------------------------------------- errors

    /// The blob does not begin with the magic word of this format.
    error UnknownFormat();
    /// The blob does not have the length of its format, or the one that its header implies.
    error WrongLength(uint256 expected, uint256 given);
    /// The flags are none of `Setup`.
    error UnknownFlags(uint256 flags);
    /// A point of the blob, by its first word, is infinity, off the curve or outside the subgroup.
    error InvalidPoint(uint256 word);
    /// Nobody contributed to a phase of the setup, so anybody can forge.
    error Uncontributed();
    /// No key of this digest is registered.
    error UnknownKey(bytes32 key);
    /// A development key, in a call that does not accept one.
    error DevKey(bytes32 key);
    /// A key of a ceremony that nobody contributed to, in a call that does not accept one.
    error UncontributedKey(bytes32 key);
    /// The number of words, or of outputs, inputs or signals, is not the key's.
    error WrongCount(uint256 expected, uint256 given);
    /// Too little gas for a verdict. Without this a starved call would call a valid proof invalid.
    error NotEnoughGas();
    /// A precompile of EIP-196 failed on valid points: this chain lacks it or prices it otherwise.
    error PrecompileFailed();

    // ---------------------------------------------------------- registration

    /// @notice Stores a key for ever; does nothing if it is registered already. Refuses development keys, and
    ///         keys of a ceremony that nobody contributed to.
    /// @param  blob the key's canonical bytes (docs/FORMATS.md)
    /// @return key keccak256 of the blob
    function registerKey(bytes calldata blob) external returns (bytes32 key);

    /// @notice As `registerKey`, and accepts all that it refuses for how they were made: somebody can forge receipts.
    function registerDevKey(bytes calldata blob) external returns (bytes32 key);

    // ----------------------------------------------------------------- views

    /// @notice Whether a key is registered.
    function isRegistered(bytes32 key) external view returns (bool);

    /// @notice Whether a registered key is a development key.
    function isDev(bytes32 key) external view returns (bool);

    /// @notice How a registered key was made, as far as it says.
    function provenanceOf(bytes32 key) external view returns (Provenance memory);

    /// @notice The model a registered key belongs to.
    function modelOf(bytes32 key) external view returns (bytes32);
}
