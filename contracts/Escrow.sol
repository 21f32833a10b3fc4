// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {Attestation, Terms} from "./CountersignTypes.sol";
import {Digests} from "./Digests.sol";
import {ICountersignVerifier} from "./ICountersignVerifier.sol";
import {IEscrow} from "./IEscrow.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";
import {IModelRegistry} from "./IModelRegistry.sol";
import {ISignOffBook} from "./ISignOffBook.sol";
import {Layouts} from "./Layouts.sol";
import {Signatures} from "./Signatures.sol";

/// @title  Escrow
/// @notice Payment for inferences: signed now, proven if challenged. IEscrow has the table of all ends.
/// @dev    Nobody owns the escrow, and no request can touch another's money: the terms say every amount, their digest is
///         the request's id, and each end credits exactly what was locked. Terms are shown with every call; a request
///         stores its state, deadline and client in one word, and the digest of what was delivered in another.
///         All state is written before anything foreign is called: tokens, signers, registries of the parties' choice.
contract Escrow is IEscrow {
    using SafeERC20 for IERC20;

    /// How far the clock of an operator may be ahead of the chain's, in seconds.
    uint256 private constant CLOCK = 5 minutes;
    /// Gas that a registry gets to say when a model was recalled, and what must be left before it is asked: EIP-150
    /// withholds a 64th part.
    uint256 private constant RECALL_GAS = 50_000;
    uint256 private constant RECALL_GAS_LEFT = 55_000;

    /// @inheritdoc IEscrow
    address public immutable book;
    /// @inheritdoc IEscrow
    address public immutable verifier;

    /// Whether a call that changes anything is being executed. A transient variable: OpenZeppelin's guard of this kind
    /// makes the compiler warn everyone who compiles the contract.
    bool private transient _entered;

    mapping(bytes32 id => Request) private _requests;
    /// @inheritdoc IEscrow
    mapping(address token => mapping(address account => uint256)) public creditOf;

    constructor(address book_, address verifier_) {
        book = book_;
        verifier = verifier_;
    }

    modifier nonReentrant() {
        if (_entered) revert Reentered();
        _entered = true;
        _;
        _entered = false;
    }

    // ----------------------------------------------------------------- request

    /// @inheritdoc IEscrow
    function request(Terms calldata terms, uint256 gross) external payable nonReentrant returns (bytes32 id) {
        id = Digests.ofTerms(terms, address(this));
        Request storage r = _requests[id];
        if (r.state != State.None) revert WrongState(id, r.state);
        if (msg.sender != terms.client) revert NotParty(terms.client, msg.sender);
        _checkTerms(terms);
        (r.state, r.deadline, r.client) = (State.Requested, terms.deliverBy, terms.client);
        emit Requested(id, terms.client, terms.operator, terms);
        _take(terms.token, terms.price, gross);
    }

    /// @inheritdoc IEscrow
    function deliver(Terms calldata terms, Attestation calldata attestation, bytes calldata signature, uint256 gross)
        external
        payable
        nonReentrant
        returns (bytes32 digest)
    {
        (bytes32 id, Request storage r) = _find(terms);
        if (r.state != State.Requested) revert WrongState(id, r.state);
        if (msg.sender != terms.operator) revert NotParty(terms.operator, msg.sender);
        if (block.timestamp > r.deadline) revert TooLate(r.deadline);
        uint64 deadline = uint64(block.timestamp) + terms.challengeWindow;
        _checkAttestation(terms, attestation, id, deadline);
        digest = Digests.ofAttestation(attestation, book);
        if (!Signatures.isBy(terms.operator, digest, signature)) revert InvalidSignature(terms.operator);
        (r.state, r.deadline, r.attestation) = (State.Delivered, deadline, digest);
        emit Delivered(id, digest, deadline, attestation, signature);
        _take(terms.token, _bond(terms), gross);
    }

    /// @inheritdoc IEscrow
    function challenge(Terms calldata terms, uint256 gross) external payable nonReentrant {
        (bytes32 id, Request storage r) = _find(terms);
        if (r.state != State.Delivered) revert WrongState(id, r.state);
        if (block.timestamp > r.deadline) revert TooLate(r.deadline);
        uint64 deadline = uint64(block.timestamp) + terms.answerWindow;
        (r.state, r.deadline, r.challenger) = (State.Challenged, deadline, msg.sender);
        emit Challenged(id, msg.sender, deadline);
        _take(terms.token, terms.costs, gross);
    }

    /// @inheritdoc IEscrow
    function answer(
        Terms calldata terms,
        Attestation calldata attestation,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external nonReentrant {
        (bytes32 id, Request storage r) = _findDelivered(terms);
        if (block.timestamp > r.deadline) revert TooLate(r.deadline);
        bytes32 digest = _checkDelivered(r, attestation);
        if (_outputOf(terms, words) != attestation.output) revert WrongWords("output");
        _verify(terms.key, digest, words, proof);
        uint256 stake = r.state == State.Challenged ? terms.costs : 0;
        if (_isRecalled(terms, block.timestamp)) {
            _end(id, r, State.Recalled, msg.sender);
            _credit(terms, terms.client, terms.price);
            _credit(terms, terms.operator, _bond(terms) + stake);
        } else {
            _end(id, r, State.Proven, msg.sender);
            _credit(terms, terms.operator, uint256(terms.price) + _bond(terms) + stake);
        }
    }

    // -------------------------------------------------------------------- ends

    /// @inheritdoc IEscrow
    function settle(Terms calldata terms) external nonReentrant {
        (bytes32 id, Request storage r) = _find(terms);
        State state = r.state;
        if (state == State.None || state > State.Challenged) revert WrongState(id, state);
        if (block.timestamp <= r.deadline) revert TooEarly(r.deadline);
        if (state == State.Requested) {
            _end(id, r, State.Expired, msg.sender);
            _credit(terms, terms.client, terms.price);
        } else if (state == State.Challenged) {
            _end(id, r, State.Silent, r.challenger);
            _credit(terms, terms.client, uint256(terms.price) + terms.damages);
            _credit(terms, r.challenger, 2 * uint256(terms.costs));
        } else if (_isRecalled(terms, r.deadline)) {
            _end(id, r, State.Recalled, msg.sender);
            _credit(terms, terms.client, terms.price);
            _credit(terms, terms.operator, _bond(terms));
        } else {
            _end(id, r, State.Unchallenged, msg.sender);
            _credit(terms, terms.operator, uint256(terms.price) + _bond(terms));
        }
    }

    /// @inheritdoc IEscrow
    function convict(
        Terms calldata terms,
        Attestation calldata attestation,
        bytes calldata layoutJson,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external nonReentrant {
        (bytes32 id, Request storage r) = _findDelivered(terms);
        _checkDelivered(r, attestation);
        if (keccak256(layoutJson) != terms.layout || !Layouts.isPublic(layoutJson)) revert NotPublic(terms.layout);
        if (_outputOf(terms, words) == attestation.output) revert WrongWords("output");
        _verify(terms.key, Digests.ofConviction(id, address(this), msg.sender), words, proof);
        _fault(terms, id, r, State.Convicted, msg.sender);
    }

    /// @inheritdoc IEscrow
    function equivocated(Terms calldata terms) external nonReentrant {
        (bytes32 id, Request storage r) = _findDelivered(terms);
        address filer = ISignOffBook(book).frozenBy(r.attestation);
        if (filer == address(0)) revert NotFrozen(r.attestation);
        _fault(terms, id, r, State.Equivocated, filer);
    }

    /// @inheritdoc IEscrow
    function withdraw(address token, address to) external nonReentrant returns (uint256 amount) {
        amount = creditOf[token][msg.sender];
        if (amount == 0) revert NoCredit(token, msg.sender);
        creditOf[token][msg.sender] = 0;
        emit Withdrawn(token, msg.sender, to, amount);
        if (token != address(0)) {
            IERC20(token).safeTransfer(to, amount);
            return amount;
        }
        (bool sent,) = to.call{value: amount}("");
        if (!sent) revert TransferFailed(to);
    }

    // ------------------------------------------------------------------- views

    /// @inheritdoc IEscrow
    function idOf(Terms calldata terms) external view returns (bytes32) {
        return Digests.ofTerms(terms, address(this));
    }

    /// @inheritdoc IEscrow
    function requestOf(bytes32 id) external view returns (Request memory) {
        return _requests[id];
    }

    /// @inheritdoc IEscrow
    function stateOf(bytes32 id) external view returns (State) {
        return _requests[id].state;
    }

    /// @inheritdoc IEscrow
    function isFinal(bytes32 id, bytes32 attestation) external view returns (bool) {
        Request storage r = _requests[id];
        return (r.state == State.Unchallenged || r.state == State.Proven) && r.attestation == attestation;
    }

    /// @inheritdoc IEscrow
    function isProven(bytes32 id, bytes32 attestation) external view returns (bool) {
        Request storage r = _requests[id];
        return r.state == State.Proven && r.attestation == attestation;
    }

    /// @inheritdoc IEscrow
    function convictionContext(bytes32 id, address prover) external view returns (bytes32) {
        return Digests.ofConviction(id, address(this), prover);
    }

    // --------------------------------------------------------- internal: terms

    function _find(Terms calldata terms) private view returns (bytes32 id, Request storage r) {
        id = Digests.ofTerms(terms, address(this));
        r = _requests[id];
    }

    function _findDelivered(Terms calldata terms) private view returns (bytes32 id, Request storage r) {
        (id, r) = _find(terms);
        if (r.state != State.Delivered && r.state != State.Challenged) revert WrongState(id, r.state);
    }

    /// What nobody could keep is refused before money is locked; what the parties make of the rest is theirs.
    function _checkTerms(Terms calldata terms) private view {
        if (terms.operator == address(0)) revert InvalidTerms("operator");
        if (terms.deliverBy < block.timestamp) revert InvalidTerms("deliverBy");
        if (terms.challengeWindow == 0) revert InvalidTerms("challengeWindow");
        if (terms.answerWindow == 0) revert InvalidTerms("answerWindow");
        ICountersignVerifier keys = ICountersignVerifier(verifier);
        bytes32 model = keys.modelOf(terms.key);
        if (model != terms.model) revert WrongModel(model, terms.model);
        bytes32 layout = keys.layoutOf(terms.key);
        if (layout != terms.layout) revert WrongLayout(layout, terms.layout);
        (uint256 words, uint256 outputs) = keys.wordsOf(terms.key);
        if (words == outputs) revert HiddenInput(terms.key);
        IKeyRegistry.Provenance memory made = keys.provenanceOf(terms.key);
        if (
            made.setup == IKeyRegistry.Setup.Dev
                || (made.setup == IKeyRegistry.Setup.Ceremony && made.contributors == 0)
        ) revert ForgeableKey(terms.key);
        if (terms.registry == address(0)) return;
        IModelRegistry registry = IModelRegistry(terms.registry);
        (IModelRegistry.ModelCommitment memory commitment, bool recalled,) = registry.getModel(terms.modelId);
        if (recalled || commitment.modelHash != terms.model || commitment.vkHash != terms.key) {
            revert NotInRegistry(terms.modelId);
        }
        // a registry that cannot say this now would never say it
        if (registry.recalledAt(terms.modelId) != 0) revert NotInRegistry(terms.modelId);
    }

    /// @param deadline until when it can be challenged, as long as which it has to be valid
    function _checkAttestation(Terms calldata terms, Attestation calldata a, bytes32 id, uint64 deadline)
        private
        view
    {
        if (a.model != terms.model) revert InvalidAttestation("model");
        if (a.key != terms.key) revert InvalidAttestation("key");
        if (a.layout != terms.layout) revert InvalidAttestation("layout");
        if (a.input != terms.input) revert InvalidAttestation("input");
        if (a.policy != terms.policy) revert InvalidAttestation("policy");
        if (a.operator != terms.operator) revert InvalidAttestation("operator");
        if (a.request != id) revert InvalidAttestation("request");
        if (a.started > a.issued) revert InvalidAttestation("started");
        if (a.issued > block.timestamp + CLOCK) revert InvalidAttestation("issued");
        if (a.validUntil < deadline) revert InvalidAttestation("validUntil");
    }

    // --------------------------------------------------------- internal: proofs

    function _checkDelivered(Request storage r, Attestation calldata attestation)
        private
        view
        returns (bytes32 digest)
    {
        digest = Digests.ofAttestation(attestation, book);
        if (digest != r.attestation) revert WrongAttestation(r.attestation, digest);
    }

    /// Digest of the output words, of words about the client's input.
    function _outputOf(Terms calldata terms, uint256[] calldata words) private view returns (bytes32) {
        (uint256 count, uint256 outputs) = ICountersignVerifier(verifier).wordsOf(terms.key);
        if (words.length != count) revert IKeyRegistry.WrongCount(count, words.length);
        if (Digests.ofWords(words, outputs, count) != terms.input) revert WrongWords("input");
        return Digests.ofWords(words, 0, outputs);
    }

    function _verify(bytes32 key, bytes32 context, uint256[] calldata words, uint256[10] calldata proof)
        private
        view
    {
        if (!ICountersignVerifier(verifier).verifyInference(key, context, words, proof)) revert InvalidProof();
    }

    /// Whether the registry of the terms says that their model was recalled by `time`. It was there when the request was
    /// made; if it no longer answers, or not within its gas, nobody shall wait for it.
    function _isRecalled(Terms calldata terms, uint256 time) private view returns (bool) {
        if (terms.registry == address(0)) return false;
        if (gasleft() < RECALL_GAS_LEFT) revert NotEnoughGas();
        bytes memory question = abi.encodeCall(IModelRegistry.recalledAt, (terms.modelId));
        address registry = terms.registry;
        uint256 at = 0;
        assembly ("memory-safe") {
            // one word is read of the answer, however long it is
            let ok := staticcall(RECALL_GAS, registry, add(question, 0x20), mload(question), 0x00, 0x20)
            if and(ok, gt(returndatasize(), 0x1f)) { at := mload(0x00) }
        }
        return at != 0 && at <= time;
    }

    // ---------------------------------------------------------- internal: money

    function _bond(Terms calldata terms) private pure returns (uint256) {
        return uint256(terms.damages) + terms.costs;
    }

    function _end(bytes32 id, Request storage r, State state, address by) private {
        r.state = state;
        emit Ended(id, state, by);
    }

    /// The operator was shown to be wrong: the client is paid first, then who showed it; a stake goes back.
    function _fault(Terms calldata terms, bytes32 id, Request storage r, State state, address by) private {
        bool challenged = r.state == State.Challenged;
        _end(id, r, state, by);
        _credit(terms, terms.client, uint256(terms.price) + terms.damages);
        _credit(terms, by, terms.costs);
        if (challenged) _credit(terms, r.challenger, terms.costs);
    }

    function _credit(Terms calldata terms, address account, uint256 amount) private {
        if (amount != 0) creditOf[terms.token][account] += amount;
    }

    /// What arrives counts, not what was sent: some tokens keep a fee.
    function _take(address token, uint256 due, uint256 gross) private {
        uint256 value = token == address(0) ? gross : 0;
        if (msg.value != value) revert WrongValue(value, msg.value);
        uint256 received = gross;
        if (token != address(0)) {
            uint256 before = IERC20(token).balanceOf(address(this));
            // some tokens refuse to move nothing
            if (gross != 0) IERC20(token).safeTransferFrom(msg.sender, address(this), gross);
            received = IERC20(token).balanceOf(address(this)) - before;
        }
        if (received < due) revert TooLittle(due, received);
        if (received > due) creditOf[token][msg.sender] += received - due;
    }
}
