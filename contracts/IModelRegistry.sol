// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  IModelRegistry
/// @notice Models by what they are and who answers for them, and whether they were recalled. The registry of ERC-7992
///         (draft), in which an error has the name of an event, which no compiler takes: the error is
///         `ModelIsDeprecated` here.
/// @dev    A model's id is keccak256(abi.encode(owner, commitment)). So a commitment never changes: new weights, a new
///         key and a new uri are a new id, and nobody can take an id before its owner.
interface IModelRegistry {
    // ----------------------------------------------------------------- types

    struct ModelCommitment {
        // digest of the integer model: `model` of attestations
        bytes32 modelHash;
        // digest of the circuit; no contract looks at it
        bytes32 circuitHash;
        // digest of the verification key: `key` of attestations
        bytes32 vkHash;
        // bytes4(keccak256("countersign-mirage-bn254-v1")) for the proof system `mirage`
        bytes4 proofSystemId;
        // where a model card is
        string uri;
    }

    // ---------------------------------------------------------------- errors

    /// No model has this id.
    error ModelNotFound(uint256 modelId);
    /// Only its owner updates or recalls a model.
    error NotModelOwner(uint256 modelId, address caller);
    /// The model was recalled already.
    error ModelIsDeprecated(uint256 modelId);
    /// The caller registered the same commitment before.
    error ModelAlreadyRegistered(uint256 modelId);

    // ---------------------------------------------------------------- events

    event ModelRegistered(uint256 indexed modelId, address indexed owner, ModelCommitment commitment);
    /// The owner names a successor; it has an id of its own, and the old model stays what it is.
    event ModelUpdated(uint256 indexed modelId, ModelCommitment oldCommitment, ModelCommitment newCommitment);
    /// The model was recalled.
    event ModelDeprecated(uint256 indexed modelId);

    // ------------------------------------------------------------- functions

    /// @notice Registers a model as the caller's.
    function registerModel(ModelCommitment calldata commitment) external returns (uint256 modelId);

    /// @notice Registers a successor of a model, under an id of its own. By its owner alone.
    function updateModel(uint256 modelId, ModelCommitment calldata newCommitment) external;

    /// @notice Recalls a model, for ever: what it said is no longer to be acted on. By its owner alone.
    function deprecateModel(uint256 modelId) external;

    // ----------------------------------------------------------------- views

    /// @notice A model, whether it was recalled, and who answers for it. Reverts with `ModelNotFound`.
    function getModel(uint256 modelId)
        external
        view
        returns (ModelCommitment memory commitment, bool deprecated, address owner);

    /// @notice Id of a model of some owner, registered or not.
    function modelIdOf(address owner, ModelCommitment calldata commitment) external pure returns (uint256);

    /// @notice Whether a model was recalled; false for one that is not registered.
    function isRecalled(uint256 modelId) external view returns (bool);

    /// @notice When a model was recalled, in seconds since 1970; zero if it was not, or is not registered.
    function recalledAt(uint256 modelId) external view returns (uint64);

    /// @notice The id that the owner named as the successor; zero for none.
    function successorOf(uint256 modelId) external view returns (uint256);
}
