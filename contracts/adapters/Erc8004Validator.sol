// SPDX-License-Identifier: MIT
pragma solidity ^0.8.19;

import {Terms} from "../CountersignTypes.sol";
import {IEscrow} from "../IEscrow.sol";

/// @notice What is needed of the validation registry of ERC-8004 (draft).
interface IErc8004Validation {
    function validationResponse(
        bytes32 requestHash,
        uint8 response,
        string calldata responseURI,
        bytes32 responseHash,
        string calldata tag
    ) external;

    function getValidationStatus(bytes32 requestHash)
        external
        view
        returns (
            address validatorAddress,
            uint256 agentId,
            uint8 response,
            bytes32 responseHash,
            string memory tag,
            uint256 lastUpdate
        );
}

/// @notice What is needed of the identity registry of ERC-8004 (draft).
interface IErc8004Identity {
    function ownerOf(uint256 agentId) external view returns (address);
    function getAgentWallet(uint256 agentId) external view returns (address);
}

/// @title  Erc8004Validator
/// @notice A validator of ERC-8004 that says how a request in the escrow ended: 100 if the operator proved its answer, 0 if
///         it did not answer, or was shown to be wrong. The tag names the end.
/// @dev    An answer that nobody challenged was not validated, and an answer of a recalled model is no merit and no
///         fault: there is no response to either.
/// @dev    The agent asks with `requestHash` of its id and the request's. The registry lets whoever owns some agent ask
///         with any hash first, and gives the response to that agent; so the validator looks whose it is. Taking
///         somebody's hash gains nothing, but leaves the other without a response for that request.
contract Erc8004Validator {
    /// The request did not end, or not in a way that says anything of the operator.
    error NothingToSay(bytes32 id, IEscrow.State state);
    /// The operator of the request is neither the agent's owner nor its wallet.
    error NotTheAgents(uint256 agentId, address operator);
    /// It is not this agent that asked this validator about the request.
    error NotAsked(uint256 agentId, bytes32 id);

    IErc8004Validation public immutable validation;
    IErc8004Identity public immutable identity;
    IEscrow public immutable escrow;

    constructor(IErc8004Validation validation_, IErc8004Identity identity_, IEscrow escrow_) {
        validation = validation_;
        identity = identity_;
        escrow = escrow_;
    }

    /// @notice What an agent calls `validationRequest` with, for a request in the escrow.
    function requestHashOf(uint256 agentId, bytes32 id) public view returns (bytes32) {
        return keccak256(abi.encode("countersign.8004", block.chainid, address(this), agentId, id));
    }

    /// @notice Responds to the agent's validation request. By anybody, when the request in the escrow has ended.
    function respond(uint256 agentId, Terms calldata terms) external {
        bytes32 id = escrow.idOf(terms);
        IEscrow.Request memory request = escrow.requestOf(id);
        string memory tag = _tagOf(request.state);
        if (bytes(tag).length == 0) revert NothingToSay(id, request.state);
        bytes32 requestHash = requestHashOf(agentId, id);
        (address asked, uint256 asking,,,,) = validation.getValidationStatus(requestHash);
        if (asked != address(this) || asking != agentId) revert NotAsked(agentId, id);
        uint8 response = request.state == IEscrow.State.Proven ? 100 : 0;
        // a merit is the operator's own; from a fault that an agent asked about it does not escape with another wallet
        if (response != 0 && !_isOf(agentId, terms.operator)) revert NotTheAgents(agentId, terms.operator);
        // nothing was delivered for an expired request
        bytes32 hash = request.attestation == bytes32(0) ? id : request.attestation;
        validation.validationResponse(requestHash, response, "", hash, tag);
    }

    function _isOf(uint256 agentId, address operator) private view returns (bool) {
        return operator == identity.getAgentWallet(agentId) || operator == identity.ownerOf(agentId);
    }

    function _tagOf(IEscrow.State state) private pure returns (string memory) {
        if (state == IEscrow.State.Proven) return "countersign.proven";
        if (state == IEscrow.State.Expired) return "countersign.expired";
        if (state == IEscrow.State.Silent) return "countersign.silent";
        if (state == IEscrow.State.Convicted) return "countersign.convicted";
        if (state == IEscrow.State.Equivocated) return "countersign.equivocated";
        return "";
    }
}
