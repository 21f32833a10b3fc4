// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {Claim, Requirement, ROLE_APPROVER} from "countersign/contracts/CountersignTypes.sol";
import {IEscrow} from "countersign/contracts/IEscrow.sol";
import {ISignOffBook} from "countersign/contracts/ISignOffBook.sol";

/// @title  LoanDesk
/// @notice A stranger's contract: it marks loans as granted, and acts only on an answer of the model that its policy
///         names, which is final in the escrow, signed off by the approver whom the policy names, and not recalled.
///         It imports interfaces alone, and trusts nobody but the book and the policy that it was deployed with.
/// @dev    `isActionable` looks at signatures, times, model, recall, finality, bounds and sign-offs. Three things are for
///         the consumer to say: under which policy (whose bounds say which outputs are a yes), for whom, and that nothing
///         is acted on twice. That the input is what it should be (the applicant's own, and true) is what the approver
///         signs for: no proof says so.
contract LoanDesk {
    // ---------------------------------------------------------------- errors

    /// The policy leaves open what this desk relies on: an escrow, or this approver.
    error WrongPolicy(string part);
    /// The book says that the answer is not to be acted on, and why.
    error NotActionable(string reason);
    /// The answer of this request was acted on.
    error AlreadyGranted(bytes32 request);
    /// Only who paid for the answer may use it.
    error NotApplicant(address client, address caller);

    // ---------------------------------------------------------------- events

    event Granted(bytes32 indexed request, address indexed applicant, bytes32 attestation);

    // ---------------------------------------------------------------- fields

    ISignOffBook public immutable book;
    bytes32 public immutable policy;
    address public immutable approver;

    mapping(bytes32 request => address) public grantedTo;

    constructor(ISignOffBook book_, bytes32 policy_, address approver_) {
        book = book_;
        policy = policy_;
        approver = approver_;
    }

    // ------------------------------------------------------------- functions

    /// @notice Grants the loan of the caller, whose request the claim answers.
    function grant(Claim calldata claim) external {
        bytes32 request = claim.attestation.request;
        if (grantedTo[request] != address(0)) revert AlreadyGranted(request);
        (bool actionable, string memory reason) = book.isActionable(policy, claim);
        if (!actionable) revert NotActionable(reason);
        // `claim.policy` has the digest of this desk's policy from here on
        if (claim.policy.escrow == address(0)) revert WrongPolicy("escrow");
        if (!_namesApprover(claim.policy.signOffs)) revert WrongPolicy("approver");
        address client = IEscrow(claim.policy.escrow).requestOf(request).client;
        if (msg.sender != client) revert NotApplicant(client, msg.sender);
        grantedTo[request] = client;
        emit Granted(request, client, book.attestationDigest(claim.attestation));
    }

    function _namesApprover(Requirement[] calldata required) private view returns (bool) {
        for (uint256 i = 0; i < required.length; i++) {
            if (required[i].role == ROLE_APPROVER && required[i].signer == approver) return true;
        }
        return false;
    }
}
