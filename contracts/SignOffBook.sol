// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {
    Attestation,
    Bound,
    Claim,
    DECISION_APPROVE,
    DECISION_REJECT,
    Policy,
    Requirement,
    ROLE_CLIENT,
    ROLE_OPERATOR,
    SignOff,
    Withdrawal
} from "./CountersignTypes.sol";
import {Digests} from "./Digests.sol";
import {IEscrow} from "./IEscrow.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {ISignOffBook} from "./ISignOffBook.sol";
import {Layouts} from "./Layouts.sol";
import {Signatures} from "./Signatures.sol";

/// @title  SignOffBook
/// @notice What is true of attestations and sign-offs beyond their signatures, and whether one may be acted on. Nobody
///         owns the book; what it stores, a signer or a sender said.
contract SignOffBook is ISignOffBook {
    /// What is known of an attestation: its digest, whether the policy's escrow calls it proven, and whose request it
    /// answers, if it is final there.
    struct Standing {
        bytes32 digest;
        bool proven;
        address client;
    }

    /// Longer elements than any statement has would overflow in a bound.
    uint256 private constant MAX_BITS = 64;
    /// Digest of the words of every hidden input.
    bytes32 private constant HIDDEN = keccak256("");

    mapping(bytes32 attestation => address) public frozenBy;
    mapping(bytes32 signOff => bool) public isWithdrawn;
    mapping(bytes32 signOff => bool) private _recorded;
    /// By keccak256 of attestation, role, scope and signer.
    mapping(bytes32 subject => uint256) private _rejections;
    mapping(address sender => mapping(bytes32 log => uint256)) public anchoredSize;

    // --------------------------------------------------------------- sign-offs

    /// @inheritdoc ISignOffBook
    function record(SignOff calldata signOff, bytes calldata signature) external returns (bytes32 digest) {
        digest = Digests.ofSignOff(signOff, address(this));
        if (isWithdrawn[digest]) revert AlreadyWithdrawn(digest);
        if (_recorded[digest]) revert AlreadyRecorded(digest);
        if (!_isNow(signOff.signed, signOff.validUntil)) revert NotValidNow(signOff.signed, signOff.validUntil);
        if (!Signatures.isBy(signOff.signer, digest, signature)) revert InvalidSignature(signOff.signer);
        _recorded[digest] = true;
        if (signOff.decision == DECISION_REJECT) _rejections[_subjectOf(signOff)]++;
        emit SignOffRecorded(signOff.attestation, signOff.signer, digest, signOff);
    }

    /// @inheritdoc ISignOffBook
    function withdraw(SignOff calldata signOff) external returns (bytes32 digest) {
        if (msg.sender != signOff.signer) revert NotSigner(signOff.signer, msg.sender);
        digest = Digests.ofSignOff(signOff, address(this));
        _withdraw(signOff, digest);
    }

    /// @inheritdoc ISignOffBook
    function withdrawBySignature(SignOff calldata signOff, uint64 withdrawn, bytes calldata signature)
        external
        returns (bytes32 digest)
    {
        digest = Digests.ofSignOff(signOff, address(this));
        bytes32 signed = Digests.ofWithdrawal(Withdrawal(digest, withdrawn), address(this));
        if (!Signatures.isBy(signOff.signer, signed, signature)) revert InvalidSignature(signOff.signer);
        _withdraw(signOff, digest);
    }

    // ------------------------------------------------------------ equivocation

    /// @inheritdoc ISignOffBook
    function fileEquivocation(
        Attestation calldata a,
        bytes calldata signatureOfA,
        Attestation calldata b,
        bytes calldata signatureOfB,
        bytes calldata layoutJson
    ) external {
        if (a.operator != b.operator || a.model != b.model || a.key != b.key) revert NoEquivocation();
        if (a.input != b.input || a.policy != b.policy || a.output == b.output) revert NoEquivocation();
        if (a.input == HIDDEN) revert NoEquivocation();
        // one is enough: who signs a false layout as well does not escape by it
        bytes32 layout = keccak256(layoutJson);
        if (layout != a.layout && layout != b.layout) revert NotPublic(a.layout);
        if (!Layouts.isPublic(layoutJson)) revert NotPublic(layout);
        bytes32 digestOfA = _signedDigest(a, signatureOfA);
        bytes32 digestOfB = _signedDigest(b, signatureOfB);
        if (frozenBy[digestOfA] != address(0) && frozenBy[digestOfB] != address(0)) revert AlreadyFrozen();
        if (frozenBy[digestOfA] == address(0)) frozenBy[digestOfA] = msg.sender;
        if (frozenBy[digestOfB] == address(0)) frozenBy[digestOfB] = msg.sender;
        emit EquivocationFiled(a.operator, digestOfA, digestOfB, msg.sender);
    }

    // -------------------------------------------------------------------- logs

    /// @inheritdoc ISignOffBook
    function anchor(bytes32 log, uint256 size, bytes32 root) external {
        uint256 anchored = anchoredSize[msg.sender][log];
        if (size <= anchored) revert NotLarger(anchored, size);
        anchoredSize[msg.sender][log] = size;
        emit Anchored(msg.sender, log, size, root);
    }

    // ------------------------------------------------------------------- views

    /// @inheritdoc ISignOffBook
    function isActionable(bytes32 policy, Claim calldata claim) external view returns (bool, string memory) {
        Attestation calldata a = claim.attestation;
        if (a.policy != policy) return (false, "made under another policy");
        if (Digests.ofPolicy(claim.policy) != policy) return (false, "another policy is shown");
        if (!_isNow(a.issued, a.validUntil)) return (false, "not valid now");
        bytes32 digest = Digests.ofAttestation(a, address(this));
        if (!Signatures.isBy(a.operator, digest, claim.signature)) return (false, "not signed by the operator");
        if (!_wordsFit(claim)) return (false, "other words are shown");
        if (!_isModel(claim.policy, a)) return (false, "not the policy's model, or recalled");
        if (claim.policy.escrow == address(0) && claim.policy.signOffs.length == 0) {
            return (false, "the policy requires nobody");
        }
        Standing memory standing = _standing(claim.policy.escrow, a.request, digest);
        if (claim.policy.escrow != address(0) && standing.client == address(0)) {
            return (false, "neither final nor proven");
        }
        if (!standing.proven && frozenBy[digest] != address(0)) return (false, "contradicted by its operator");
        if (!_isWithin(claim)) return (false, "out of bounds");
        return _isApproved(claim, standing);
    }

    /// @inheritdoc ISignOffBook
    function rejections(bytes32 attestation, uint8 role, bytes32 scope, address signer)
        external
        view
        returns (uint256)
    {
        return _rejections[_subject(attestation, role, scope, signer)];
    }

    /// @inheritdoc ISignOffBook
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32) {
        return Digests.ofAttestation(attestation, address(this));
    }

    /// @inheritdoc ISignOffBook
    function signOffDigest(SignOff calldata signOff) external view returns (bytes32) {
        return Digests.ofSignOff(signOff, address(this));
    }

    /// @inheritdoc ISignOffBook
    function withdrawalDigest(Withdrawal calldata withdrawal) external view returns (bytes32) {
        return Digests.ofWithdrawal(withdrawal, address(this));
    }

    /// @inheritdoc ISignOffBook
    function policyDigest(Policy calldata policy) external pure returns (bytes32) {
        return Digests.ofPolicy(policy);
    }

    /// @inheritdoc ISignOffBook
    function eip712Domain()
        external
        view
        returns (bytes1, string memory, string memory, uint256, address, bytes32, uint256[] memory)
    {
        return (hex"0f", "Countersign", "1", block.chainid, address(this), bytes32(0), new uint256[](0));
    }

    // ----------------------------------------------------- internal: sign-offs

    function _withdraw(SignOff calldata signOff, bytes32 digest) private {
        if (isWithdrawn[digest]) revert AlreadyWithdrawn(digest);
        isWithdrawn[digest] = true;
        if (_recorded[digest] && signOff.decision == DECISION_REJECT) _rejections[_subjectOf(signOff)]--;
        emit SignOffWithdrawn(signOff.attestation, signOff.signer, digest);
    }

    function _subjectOf(SignOff calldata s) private pure returns (bytes32) {
        return _subject(s.attestation, s.role, s.scope, s.signer);
    }

    function _subject(bytes32 attestation, uint8 role, bytes32 scope, address signer) private pure returns (bytes32) {
        return keccak256(abi.encode(attestation, role, scope, signer));
    }

    function _signedDigest(Attestation calldata a, bytes calldata signature) private view returns (bytes32 digest) {
        digest = Digests.ofAttestation(a, address(this));
        if (!Signatures.isBy(a.operator, digest, signature)) revert InvalidSignature(a.operator);
    }

    function _isNow(uint64 from, uint64 until) private view returns (bool) {
        return from <= block.timestamp && block.timestamp <= until;
    }

    // ------------------------------------------------------- internal: a claim

    /// How many words are outputs is the caller's to say: with another number both digests would be others.
    function _wordsFit(Claim calldata claim) private pure returns (bool) {
        uint256[] calldata words = claim.words;
        if (claim.outputs > words.length) return false;
        return Digests.ofWords(words, 0, claim.outputs) == claim.attestation.output
            && Digests.ofWords(words, claim.outputs, words.length) == claim.attestation.input;
    }

    function _isModel(Policy calldata policy, Attestation calldata a) private view returns (bool) {
        if (policy.registry == address(0)) return false;
        (IModelRegistry.ModelCommitment memory commitment, bool recalled,) =
            IModelRegistry(policy.registry).getModel(policy.modelId);
        return commitment.modelHash == a.model && commitment.vkHash == a.key && !recalled;
    }

    function _standing(address escrow, bytes32 id, bytes32 digest) private view returns (Standing memory standing) {
        standing.digest = digest;
        if (escrow == address(0)) return standing;
        IEscrow.Request memory found = IEscrow(escrow).requestOf(id);
        if (found.attestation != digest) return standing;
        standing.proven = found.state == IEscrow.State.Proven;
        if (standing.proven || found.state == IEscrow.State.Unchallenged) standing.client = found.client;
    }

    function _isWithin(Claim calldata claim) private pure returns (bool) {
        Bound[] calldata bounds = claim.policy.bounds;
        for (uint256 i = 0; i < bounds.length; i++) {
            Bound calldata bound = bounds[i];
            if (bound.word >= claim.words.length || bound.bits > MAX_BITS) return false;
            uint256 offset = (claim.words[bound.word] >> bound.shift) & ((1 << bound.bits) - 1);
            int256 value = int256(bound.lo) + int256(offset);
            if (value < bound.least || value > bound.most) return false;
        }
        return true;
    }

    function _isApproved(Claim calldata claim, Standing memory standing)
        private
        view
        returns (bool, string memory)
    {
        Requirement[] calldata required = claim.policy.signOffs;
        if (claim.signOffs.length != required.length || claim.signatures.length != required.length) {
            return (false, "another number of sign-offs is shown");
        }
        bool ofClient = false;
        for (uint256 i = 0; i < required.length; i++) {
            if (required[i].role == ROLE_CLIENT) ofClient = true;
            if (_isRejected(claim, required[i], standing.digest)) return (false, "rejected");
            if (!_isImplied(claim, required[i], standing) && !_approves(claim, i, standing.digest)) {
                return (false, "a required sign-off is missing");
            }
        }
        if (claim.policy.escrow != address(0) && !standing.proven && !ofClient) {
            return (false, "not proven, and the policy requires no client");
        }
        return (true, "");
    }

    function _isRejected(Claim calldata claim, Requirement calldata required, bytes32 attestation)
        private
        view
        returns (bool)
    {
        return _rejections[_subject(attestation, required.role, claim.attestation.policy, required.signer)] != 0;
    }

    /// The operator signed the attestation; the client of a final request did not challenge it, or saw it proven.
    function _isImplied(Claim calldata claim, Requirement calldata required, Standing memory standing)
        private
        pure
        returns (bool)
    {
        if (required.role == ROLE_OPERATOR) return required.signer == claim.attestation.operator;
        if (required.role != ROLE_CLIENT || standing.client == address(0)) return false;
        return required.signer == standing.client;
    }

    /// Whether sign-off `i` meets requirement `i`.
    function _approves(Claim calldata claim, uint256 i, bytes32 attestation) private view returns (bool) {
        Requirement calldata required = claim.policy.signOffs[i];
        SignOff calldata signOff = claim.signOffs[i];
        if (signOff.attestation != attestation || signOff.decision != DECISION_APPROVE) return false;
        if (signOff.role != required.role || signOff.signer != required.signer) return false;
        if (signOff.scope != claim.attestation.policy || !_isNow(signOff.signed, signOff.validUntil)) return false;
        bytes32 digest = Digests.ofSignOff(signOff, address(this));
        return !isWithdrawn[digest] && Signatures.isBy(signOff.signer, digest, claim.signatures[i]);
    }
}
