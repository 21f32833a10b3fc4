// SPDX-License-Identifier: MIT
pragma solidity ^0.8.19;

import {IModelRegistry} from "./IModelRegistry.sol";

/// @title  ModelRegistry
/// @notice Models by content and owner, and their recalls (ERC-7992). Nobody owns the registry: each model's owner can
///         name a successor and recall it, and no more.
contract ModelRegistry is IModelRegistry {
    struct Model {
        address owner;
        // in one word with the owner, so that asking for a recall reads one
        uint64 recalledAt;
        ModelCommitment commitment;
    }

    /// Interface ids (ERC-165): of the registry in ERC-7992, and of ERC-165 itself.
    bytes4 private constant ERC_7992_REGISTRY = 0xd28519b1;
    bytes4 private constant ERC_165 = 0x01ffc9a7;

    mapping(uint256 modelId => Model) private _models;
    mapping(uint256 modelId => uint256) private _successors;

    // -------------------------------------------------------------- functions

    /// @inheritdoc IModelRegistry
    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId) {
        return _register(commitment);
    }

    /// @inheritdoc IModelRegistry
    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external {
        Model storage model = _ownedByCaller(modelId);
        _successors[modelId] = _register(newCommitment);
        emit ModelUpdated(modelId, model.commitment, newCommitment);
    }

    /// @inheritdoc IModelRegistry
    function deprecateModel(uint256 modelId) external {
        Model storage model = _ownedByCaller(modelId);
        if (model.recalledAt != 0) revert ModelIsDeprecated(modelId);
        model.recalledAt = uint64(block.timestamp);
        emit ModelDeprecated(modelId);
    }

    // ------------------------------------------------------------------ views

    /// @inheritdoc IModelRegistry
    function getModel(uint256 modelId)
        external
        view
        returns (ModelCommitment memory commitment, bool deprecated, address owner)
    {
        Model storage model = _models[modelId];
        if (model.owner == address(0)) revert ModelNotFound(modelId);
        return (model.commitment, model.recalledAt != 0, model.owner);
    }

    /// @inheritdoc IModelRegistry
    function modelIdOf(address owner, ModelCommitment calldata commitment) external pure returns (uint256) {
        return _idOf(owner, commitment);
    }

    /// @inheritdoc IModelRegistry
    function isRecalled(uint256 modelId) external view returns (bool) {
        return _models[modelId].recalledAt != 0;
    }

    /// @inheritdoc IModelRegistry
    function recalledAt(uint256 modelId) external view returns (uint64) {
        return _models[modelId].recalledAt;
    }

    /// @inheritdoc IModelRegistry
    function successorOf(uint256 modelId) external view returns (uint256) {
        return _successors[modelId];
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) external pure returns (bool) {
        return interfaceId == ERC_7992_REGISTRY || interfaceId == ERC_165;
    }

    // --------------------------------------------------------------- internal

    function _idOf(address owner, ModelCommitment calldata commitment) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(owner, commitment)));
    }

    function _register(ModelCommitment calldata commitment) private returns (uint256 modelId) {
        modelId = _idOf(msg.sender, commitment);
        Model storage model = _models[modelId];
        if (model.owner != address(0)) revert ModelAlreadyRegistered(modelId);
        model.owner = msg.sender;
        model.commitment = commitment;
        emit ModelRegistered(modelId, msg.sender, commitment);
    }

    function _ownedByCaller(uint256 modelId) private view returns (Model storage model) {
        model = _models[modelId];
        if (model.owner == address(0)) revert ModelNotFound(modelId);
        if (model.owner != msg.sender) revert NotModelOwner(modelId, msg.sender);
    }
}
