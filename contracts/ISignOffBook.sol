// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

import {Attestation, Claim, Policy, SignOff, Withdrawal} from "./CountersignTypes.sol";

/// @title  ISignOffBook
/// @notice What is true of attestations and sign-offs beyond their signatures: withdrawals, recorded rejections,
///         contradictions, roots of logs. Signing costs nothing: claims stay off-chain and are shown when they are used.
/// @dev    The book is the domain (EIP-712, ERC-5267) of all that is signed.
interface ISignOffBook {
    // ---------------------------------------------------------------- errors

    /// The signature is not the signer's, under this book and on this chain.
    error InvalidSignature(address signer);
    /// Only its signer withdraws a sign-off without a signature.
    error NotSigner(address signer, address caller);
    /// The sign-off was withdrawn.
    error AlreadyWithdrawn(bytes32 signOff);
    /// The sign-off was recorded before.
    error AlreadyRecorded(bytes32 signOff);
    /// The sign-off is not valid yet, or no longer.
    error NotValidNow(uint64 signed, uint64 validUntil);
    /// The two attestations do not contradict each other: another operator, model, key, input or policy, the same
    /// output, or hidden inputs, of which nobody sees whether they are the same.
    error NoEquivocation();
    /// Only public outputs contradict each other: commitments to the same output differ by their salts. Or the layout
    /// shown is that of neither attestation.
    error NotPublic(bytes32 layoutDigest);
    /// Both attestations are frozen already.
    error AlreadyFrozen();
    /// A log of the caller has a root at this size, or at a larger one.
    error NotLarger(uint256 anchored, uint256 given);

    // ---------------------------------------------------------------- events

    event SignOffRecorded(
        bytes32 indexed attestation, address indexed signer, bytes32 indexed digest, SignOff signOff
    );
    event SignOffWithdrawn(bytes32 indexed attestation, address indexed signer, bytes32 indexed digest);
    /// `a` and `b` are contradictory claims of one operator; neither is to be acted on, unless proven.
    event EquivocationFiled(address indexed operator, bytes32 indexed a, bytes32 indexed b, address filer);
    event Anchored(address indexed sender, bytes32 indexed log, uint256 size, bytes32 root);

    // -------------------------------------------------------------- sign-offs

    /// @notice Makes a sign-off public that should be seen: a rejection counts from now on, for everybody, until its
    ///         signer withdraws it. By anybody who has it.
    function record(SignOff calldata signOff, bytes calldata signature) external returns (bytes32 digest);

    /// @notice Takes a sign-off back, for ever. By its signer.
    function withdraw(SignOff calldata signOff) external returns (bytes32 digest);

    /// @notice As `withdraw`, by anybody who has the signer's signature under a `Withdrawal`.
    function withdrawBySignature(SignOff calldata signOff, uint64 withdrawn, bytes calldata signature)
        external
        returns (bytes32 digest);

    // ----------------------------------------------------------- equivocation

    /// @notice Files that an operator signed two outputs for one input, under the same model, key and policy. Freezes
    ///         both attestations; the caller is kept as the filer of those that were not frozen.
    /// @param  layoutJson canonical JSON of the key's layout, whose outputs must be public
    function fileEquivocation(
        Attestation calldata a,
        bytes calldata signatureOfA,
        Attestation calldata b,
        bytes calldata signatureOfB,
        bytes calldata layoutJson
    ) external;

    // ------------------------------------------------------------------- logs

    /// @notice Anchors the root of a log of the caller's. Each is of a larger log than the last.
    /// @param  log  name of the log, of the caller's choice
    /// @param  size entries that the root is of
    function anchor(bytes32 log, uint256 size, bytes32 root) external;

    // ------------------------------------------------------------------ views

    /// @notice Whether a claim may be acted on now under a policy that the caller names; if not, why.
    /// @dev    True when all of this holds: the policy shown has the digest that was named, and the attestation was made
    ///         under it; it is in its time; the operator signed it; the words shown have its digests; the policy's
    ///         registry has the policy's model with the attestation's model and key, not recalled; it is proven or, if
    ///         the policy names an escrow, final there; it is not frozen, or is proven; the words are within all bounds;
    ///         and every requirement is met. A requirement is met by an approving sign-off, with the policy as its
    ///         scope, in its time and not withdrawn; that of the operator who signed the attestation by that signature,
    ///         that of the client of a final request by that client's silence. None is met whose signer has a
    ///         rejection recorded in that role. What is final but not proven counts only if the policy requires a
    ///         client: else an operator could be its own client, and stay silent. A policy that neither requires
    ///         anybody nor names an escrow protects from nothing, and makes nothing actionable.
    ///         Which input it is about is the caller's to know: `attestation.input`, or the words behind the outputs.
    /// @param  policy digest of the policy that the caller acts under
    function isActionable(bytes32 policy, Claim calldata claim)
        external
        view
        returns (bool actionable, string memory reason);

    /// @notice Who filed an equivocation of this attestation first; zero if nobody did.
    function frozenBy(bytes32 attestation) external view returns (address);

    /// @notice Whether a sign-off was withdrawn.
    function isWithdrawn(bytes32 signOff) external view returns (bool);

    /// @notice Recorded rejections of an attestation that were not withdrawn.
    function rejections(bytes32 attestation, uint8 role, bytes32 scope, address signer)
        external
        view
        returns (uint256);

    /// @notice Entries of the last anchored root of a log; zero if there is none.
    function anchoredSize(address sender, bytes32 log) external view returns (uint256);

    /// @notice What an operator signs; the context of the receipt that proves the attestation.
    function attestationDigest(Attestation calldata attestation) external view returns (bytes32);

    /// @notice What a signer signs.
    function signOffDigest(SignOff calldata signOff) external view returns (bytes32);

    /// @notice What a signer signs to take a sign-off back.
    function withdrawalDigest(Withdrawal calldata withdrawal) external view returns (bytes32);

    /// @notice What attestations name a policy by.
    function policyDigest(Policy calldata policy) external pure returns (bytes32);

    /// @notice The domain of all signatures (ERC-5267).
    function eip712Domain()
        external
        view
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        );
}
