// SPDX-License-Identifier: MIT
pragma solidity ^0.8.19;

import {IInferenceVerifier} from "../IInferenceVerifier.sol";

/// @title  Erc7007Verifier
/// @notice `verify` of ERC-7007 for tokens whose content a registered model made: a token asks it in `addAigcData`.
/// @dev    The prompt names the context, so that the proof of one token is none of another's.
contract Erc7007Verifier {
    IInferenceVerifier public immutable inference;

    constructor(IInferenceVerifier inference_) {
        inference = inference_;
    }

    /// @notice Whether the proof shows that the prompt's model gave `aigcData`.
    /// @param  prompt abi.encode(uint256 modelId, bytes32 inputHash, bytes32 context)
    /// @param  aigcData output words, 32 bytes each
    /// @param  proof abi.encode(uint256[] inputWords, uint256[10] proof)
    function verify(bytes calldata prompt, bytes calldata aigcData, bytes calldata proof)
        external
        view
        returns (bool success)
    {
        if (aigcData.length % 32 != 0) return false;
        (uint256 modelId, bytes32 inputHash, bytes32 context) = abi.decode(prompt, (uint256, bytes32, bytes32));
        (uint256[] memory inputs, uint256[10] memory points) = abi.decode(proof, (uint256[], uint256[10]));
        uint256 outputs = aigcData.length / 32;
        uint256[] memory words = new uint256[](outputs + inputs.length);
        for (uint256 i = 0; i < outputs; i++) words[i] = uint256(bytes32(aigcData[32 * i:]));
        for (uint256 i = 0; i < inputs.length; i++) words[outputs + i] = inputs[i];
        return inference.verify(
            inputHash, keccak256(aigcData), abi.encode(modelId, context), abi.encode(words, points)
        );
    }
}
