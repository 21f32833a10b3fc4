// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

import {ICountersignVerifier} from "./ICountersignVerifier.sol";
import {IInferenceVerifier} from "./IInferenceVerifier.sol";
import {IModelRegistry} from "./IModelRegistry.sol";

/// @title  InferenceVerifier
/// @notice CountersignVerifier for the models of a registry, by the interfaces of ERC-7992 and ERC-8274.
contract InferenceVerifier is IInferenceVerifier {
    string private constant SYSTEM = "countersign-mirage-bn254-v1";
    bytes32 private constant PROFILE = keccak256("countersign-mirage-bn254-v1");

    /// Interface ids (ERC-165): of the verifier in ERC-7992, and of ERC-165 itself.
    bytes4 private constant ERC_7992_VERIFIER = 0x5df65472;
    bytes4 private constant ERC_165 = 0x01ffc9a7;

    /// @inheritdoc IInferenceVerifier
    address public immutable registry;
    /// @inheritdoc IInferenceVerifier
    address public immutable verifier;

    constructor(address registry_, address verifier_) {
        registry = registry_;
        verifier = verifier_;
    }

    // -------------------------------------------------------------- functions

    /// @inheritdoc IInferenceVerifier
    function verifyInference(uint256 modelId, bytes32 inputCommitment, bytes calldata output, bytes calldata proof)
        external
    {
        bytes32 key = _keyOf(modelId, true);
        (bytes32 context, uint256[] memory inputs, uint256[10] memory points) =
            abi.decode(proof, (bytes32, uint256[], uint256[10]));
        if (keccak256(abi.encodePacked(inputs)) != inputCommitment) revert InputCommitmentMismatch();
        (, uint256 outputs) = ICountersignVerifier(verifier).wordsOf(key);
        if (output.length != 32 * outputs) revert OutputMismatch();
        uint256[] memory words = _join(output, inputs);
        if (!ICountersignVerifier(verifier).verifyInference(key, context, words, points)) revert InvalidProof();
        emit InferenceVerified(modelId, inputCommitment, output, msg.sender);
    }

    /// @inheritdoc IInferenceVerifier
    function verify(bytes32 inputHash, bytes32 outputHash, bytes calldata metadata, bytes calldata proof)
        external
        view
        returns (bool)
    {
        (uint256[] memory words, uint256[10] memory points) = abi.decode(proof, (uint256[], uint256[10]));
        (uint256 modelId, bytes32 context) = abi.decode(metadata, (uint256, bytes32));
        bytes32 key = _keyOf(modelId, false);
        if (key == bytes32(0) || !_haveDigests(key, words, inputHash, outputHash)) return false;
        return ICountersignVerifier(verifier).verifyInference(key, context, words, points);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IInferenceVerifier
    function proofSystemOf(uint256 modelId) external view returns (bytes4) {
        (IModelRegistry.ModelCommitment memory model,,) = IModelRegistry(registry).getModel(modelId);
        return model.proofSystemId;
    }

    /// @inheritdoc IInferenceVerifier
    function proofSystem() external pure returns (string memory) {
        return SYSTEM;
    }

    /// @inheritdoc IInferenceVerifier
    function proofProfile() external pure returns (bytes32) {
        return PROFILE;
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == ERC_7992_VERIFIER || interfaceId == ERC_165;
    }

    // --------------------------------------------------------------- internal

    /// The key to verify under; without one, for a model that may not be, an error or zero.
    function _keyOf(uint256 modelId, bool orRevert) private view returns (bytes32) {
        (IModelRegistry.ModelCommitment memory model, bool recalled,) = IModelRegistry(registry).getModel(modelId);
        bool known = model.proofSystemId == bytes4(PROFILE);
        if (!recalled && known && ICountersignVerifier(verifier).modelOf(model.vkHash) == model.modelHash) {
            return model.vkHash;
        }
        if (!orRevert) return bytes32(0);
        if (recalled) revert VerificationRefused_ModelDeprecated(modelId);
        if (!known) revert UnsupportedProofSystem(model.proofSystemId);
        revert ModelMismatch();
    }

    /// The words of a statement: those of the output, then those of the input.
    function _join(bytes calldata output, uint256[] memory inputs) private pure returns (uint256[] memory words) {
        uint256 outputs = output.length / 32;
        words = new uint256[](outputs + inputs.length);
        for (uint256 i = 0; i < outputs; i++) words[i] = uint256(bytes32(output[32 * i:]));
        for (uint256 i = 0; i < inputs.length; i++) words[outputs + i] = inputs[i];
    }

    function _haveDigests(bytes32 key, uint256[] memory words, bytes32 inputHash, bytes32 outputHash)
        private
        view
        returns (bool)
    {
        (uint256 count, uint256 outputs) = ICountersignVerifier(verifier).wordsOf(key);
        return words.length == count && _digest(words, 0, outputs) == outputHash
            && _digest(words, outputs, count) == inputHash;
    }

    /// keccak256 of words `from` to `to`.
    function _digest(uint256[] memory words, uint256 from, uint256 to) private pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(add(add(words, 0x20), shl(5, from)), shl(5, sub(to, from)))
        }
    }
}
