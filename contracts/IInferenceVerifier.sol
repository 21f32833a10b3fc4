// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  IInferenceVerifier
/// @notice Proofs of registered models by the interfaces of ERC-7992 and ERC-8274 (drafts), of which the second part is
///         `verify`, `proofSystem` and `proofProfile`.
/// @dev    Neither draft has a context, which here stands in what they leave open. A valid proof says that somebody ran the
///         model, for that context; whoever acts on it once must choose the context, and use an Escrow or a book.
interface IInferenceVerifier {
    // ---------------------------------------------------------------- errors

    /// The proof does not verify, in its context.
    error InvalidProof();
    /// The registered key is another model's than the commitment says.
    error ModelMismatch();
    /// The input words have not this digest.
    error InputCommitmentMismatch();
    /// The output is not as many words as the key has outputs.
    error OutputMismatch();
    /// The commitment's proof system is another one.
    error UnsupportedProofSystem(bytes4 proofSystemId);
    /// The model was recalled.
    error VerificationRefused_ModelDeprecated(uint256 modelId);

    // ---------------------------------------------------------------- events

    event InferenceVerified(
        uint256 indexed modelId, bytes32 indexed inputCommitment, bytes output, address indexed caller
    );

    // ------------------------------------------------------------- functions

    /// @notice ERC-7992: reverts unless the proof shows that the model gave the output.
    /// @param  inputCommitment keccak256 of the input words: `input` of attestations
    /// @param  output output words, 32 bytes each
    /// @param  proof abi.encode(bytes32 context, uint256[] inputWords, uint256[10] proof)
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external;

    /// @notice ERC-8274: whether the proof shows that the model gave an output with this digest. False for a recalled
    ///         model, words of other digests, and whatever does not verify; reverts on what cannot be read.
    /// @param  inputHash keccak256 of the input words
    /// @param  outputHash keccak256 of the output words
    /// @param  metadata abi.encode(uint256 modelId, bytes32 context)
    /// @param  proof abi.encode(uint256[] words, uint256[10] proof)
    function verify(bytes32 inputHash, bytes32 outputHash, bytes calldata metadata, bytes calldata proof)
        external
        view
        returns (bool valid);

    // ----------------------------------------------------------------- views

    /// @notice ERC-7992: the proof system of a registered model.
    function proofSystemOf(uint256 modelId) external view returns (bytes4);

    /// @notice ERC-7992: the registry.
    function registry() external view returns (address registryAddress);

    /// @notice The CountersignVerifier that proofs are verified by.
    function verifier() external view returns (address);

    /// @notice ERC-8274: name of the proof system, "countersign-mirage-bn254-v1".
    function proofSystem() external view returns (string memory);

    /// @notice ERC-8274: keccak256 of that name; its first four bytes are the proof system's id of ERC-7992.
    function proofProfile() external view returns (bytes32);
}
