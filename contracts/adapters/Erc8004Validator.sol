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
///         fault: there is no response to either. The agent asks with `requestHash` of its id and the request's, which
///         nobody can use for another agent.
contract Erc8004Validator {
    /// The request did not end, or not in a way that says anything of the operator.
    error NothingToSay(bytes32 id, IEscrow.State state);
    /// The operator of the request is neither the agent's owner nor its wallet.
    error NotTheAgents(uint256 agentId, address operator);

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
        if (terms.operator != identity.getAgentWallet(agentId) && terms.operator != identity.ownerOf(agentId)) {
            revert NotTheAgents(agentId, terms.operator);
        }
        uint8 response = request.state == IEscrow.State.Proven ? 100 : 0;
        // nothing was delivered for an expired request
        bytes32 hash = request.attestation == bytes32(0) ? id : request.attestation;
        validation.validationResponse(requestHashOf(agentId, id), response, "", hash, tag);
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
