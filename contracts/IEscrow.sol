// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

import {Attestation, Terms} from "./CountersignTypes.sol";

/// @title  IEscrow
/// @notice A client pays for an inference; the operator delivers a signed attestation now, with a bond, and proves it if
///         somebody challenges it in time. Silence always has a named winner.
/// @dev    P price, D damages, K costs. The client locks P, the operator D + K, a challenger K, and every end pays out
///         all that was locked:
///
///         | end | state | client | operator | others |
///         |---|---|---|---|---|
///         | not delivered in time | Expired | P | | |
///         | delivered, nobody challenged in time | Unchallenged | | P + D + K | |
///         | proven, unchallenged | Proven | | P + D + K | |
///         | challenged, proven in time | Proven | | P + D + 2K | |
///         | challenged, not proven in time | Silent | P + D | | challenger 2K |
///         | another output proven | Convicted | P + D | | prover K, a challenger K |
///         | contradictory attestations filed | Equivocated | P + D | | filer K, a challenger K |
///         | model recalled, unchallenged | Recalled | P | D + K | |
///         | model recalled, then proven | Recalled | P | D + K, 2K if it was challenged (D + 2K in all) | |
///
///         A recall counts if it came before the challenge window was over, or before the proof; it is no excuse for
///         silence after a challenge. Payments are credits, which their owners withdraw: nobody can keep anybody else
///         from being paid. An attestation is final in the states Unchallenged and Proven.
interface IEscrow {
    // ----------------------------------------------------------------- types

    enum State {
        None,
        Requested,
        Delivered,
        Challenged,
        Expired,
        Unchallenged,
        Proven,
        Silent,
        Convicted,
        Equivocated,
        Recalled
    }

    /// What is known of a request.
    struct Request {
        State state;
        // the last second for what has to happen next: delivery, challenge or answer
        uint64 deadline;
        address client;
        // digest of what was delivered
        bytes32 attestation;
        address challenger;
    }

    // ---------------------------------------------------------------- errors

    /// The call does not belong to this state of the request; `None`: nobody made it.
    error WrongState(bytes32 id, State state);
    /// The deadline has passed.
    error TooLate(uint64 deadline);
    /// The deadline has not passed.
    error TooEarly(uint64 deadline);
    /// The terms give this call to somebody else.
    error NotParty(address party, address caller);
    /// Terms that nobody could keep, by field: a window of no length, a delivery in the past.
    error InvalidTerms(string field);
    /// Nothing ties a proof under this key to the client's input, because the key hides it altogether.
    error HiddenInput(bytes32 key);
    /// Somebody can forge proofs under this key, by what it says itself.
    error ForgeableKey(bytes32 key);
    /// The key is another model's.
    error WrongModel(bytes32 expected, bytes32 given);
    /// The key has another layout. By a false one with public outputs, a client could convict an honest operator of a
    /// commitment.
    error WrongLayout(bytes32 expected, bytes32 given);
    /// The registry does not have the terms' model and key under their id, or the model was recalled.
    error NotInRegistry(uint256 modelId);
    /// The attestation does not fit the terms, by its first field that does not.
    error InvalidAttestation(string field);
    /// The attestation is not the one that was delivered.
    error WrongAttestation(bytes32 delivered, bytes32 given);
    /// The signature is not the operator's.
    error InvalidSignature(address signer);
    /// The words have not the digests of the attestation: its input, its output; for a conviction, another output.
    error WrongWords(string side);
    /// The proof does not verify in the context that this call needs.
    error InvalidProof();
    /// Only a public output can be convicted of: a commitment to the same output differs by its salt.
    error NotPublic(bytes32 layoutDigest);
    /// Nobody filed an equivocation of the attestation.
    error NotFrozen(bytes32 attestation);
    /// The ETH that was sent is not what the call says.
    error WrongValue(uint256 expected, uint256 given);
    /// Less arrived than is due.
    error TooLittle(uint256 due, uint256 received);
    /// Nothing to withdraw.
    error NoCredit(address token, address account);
    /// ETH could not be sent to the recipient.
    error TransferFailed(address to);
    /// A token or recipient called back.
    error Reentered();
    /// Too little gas to ask the registry. Without this a starved call would miss a recall.
    error NotEnoughGas();

    // ---------------------------------------------------------------- events

    event Requested(bytes32 indexed id, address indexed client, address indexed operator, Terms terms);
    event Delivered(
        bytes32 indexed id, bytes32 indexed digest, uint64 deadline, Attestation attestation, bytes signature
    );
    event Challenged(bytes32 indexed id, address indexed challenger, uint64 deadline);
    /// A request came to one of its ends; `by` is who is paid for it in Silent (the challenger), Convicted (the prover)
    /// and Equivocated (the filer), else who called.
    event Ended(bytes32 indexed id, State indexed state, address indexed by);
    event Withdrawn(address indexed token, address indexed account, address to, uint256 amount);

    // ---------------------------------------------------------------- request

    // `gross` is what the caller sends: ETH, or tokens that it approved. What arrives has to be at least what is due; what
    // is more becomes a credit of the caller's. So tokens that charge a fee can be paid with.

    /// @notice Locks the price of an inference. By the client.
    /// @return id keccak256(abi.encode(chain, escrow, terms)): `request` of the attestation to be delivered
    function request(Terms calldata terms, uint256 gross) external payable returns (bytes32 id);

    /// @notice Delivers a signed attestation, with the bond. By the operator, until `deliverBy`.
    function deliver(Terms calldata terms, Attestation calldata attestation, bytes calldata signature, uint256 gross)
        external
        payable
        returns (bytes32 digest);

    /// @notice Demands the proof, with a stake. By anybody, in the challenge window.
    function challenge(Terms calldata terms, uint256 gross) external payable;

    /// @notice Proves the attestation that was delivered. By anybody, until the deadline of the window or challenge.
    /// @param  words the statement's, outputs first
    /// @param  proof for the attestation's digest as context
    function answer(
        Terms calldata terms,
        Attestation calldata attestation,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external;

    // ------------------------------------------------------------------- ends

    /// @notice Ends a request whose deadline has passed: undelivered, unchallenged, or challenged and unanswered. By
    ///         anybody.
    function settle(Terms calldata terms) external;

    /// @notice Ends a request by a proof of the right output, where the attestation says another. By anybody, at any
    ///         time before the request ended.
    /// @param  layoutJson canonical JSON of the key's layout, whose outputs must be public
    /// @param  proof  for `convictionContext` as context
    function convict(
        Terms calldata terms,
        Attestation calldata attestation,
        bytes calldata layoutJson,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external;

    /// @notice Ends a request whose attestation contradicts another of the operator's, as filed in the book. By anybody,
    ///         at any time before the request ended.
    function equivocated(Terms calldata terms) external;

    /// @notice Pays all credits of the caller in a token (zero: ETH) to an account.
    function withdraw(address token, address to) external returns (uint256 amount);

    // ------------------------------------------------------------------ views

    /// @notice The book that attestations are signed under.
    function book() external view returns (address);

    /// @notice The CountersignVerifier that proofs are verified by.
    function verifier() external view returns (address);

    /// @notice Id of a request with these terms, made or not.
    function idOf(Terms calldata terms) external view returns (bytes32);

    /// @notice What is known of a request.
    function requestOf(bytes32 id) external view returns (Request memory);

    /// @notice The state of a request.
    function stateOf(bytes32 id) external view returns (State);

    /// @notice Whether a request ended well with this attestation: unchallenged, or proven.
    function isFinal(bytes32 id, bytes32 attestation) external view returns (bool);

    /// @notice Whether a request ended with a proof of this attestation.
    function isProven(bytes32 id, bytes32 attestation) external view returns (bool);

    /// @notice Context of a proof that convicts, brought by `prover`.
    function convictionContext(bytes32 id, address prover) external view returns (bytes32);

    /// @notice What an account can withdraw.
    function creditOf(address token, address account) external view returns (uint256);
}
