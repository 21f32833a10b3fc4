// SPDX-License-Identifier: MIT
pragma solidity ^0.8.18;

import {ADD_GAS, G2_X0, G2_X1, G2_Y1, MUL_GAS, onCurve, PAIRING_GAS, PAIR_GAS, Q, R} from "./Bn254.sol";
import {IGroth16Verifier} from "./IGroth16Verifier.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";

/// @notice A contract whose code is data: one STOP byte, then the bytes it was created with.
contract KeyChunk {
    constructor(bytes memory data) {
        bytes memory code = abi.encodePacked(bytes1(0x00), data);
        assembly ("memory-safe") {
            return(add(code, 0x20), mload(code))
        }
    }
}

/// @title  Groth16Verifier
/// @notice Verifies Groth16 receipts (eprint 2016/260, curve bn254 of EIP-196 and EIP-197) of any number of
///         models. A verification key is a blob named by its keccak256 and registered once by anybody: what
///         to trust is the caller's choice of `key`, never a matter of who registered it.
/// @dev    Blob, 32-byte words: magic, flags, n signals, outputs among them, model, layout digest, alpha1
///         (2), beta2 (4), gamma2 (4), delta2 (4), then n + 1 points ic (2 each); for a key of a ceremony, which
///         its flags say, five more: powers of tau (2), contributors, beacon, transcript. Coordinates of G2 have
///         the imaginary part first. docs/FORMATS.md has the whole definition.
///         Proof words: A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y. Anyone can re-randomise a proof, so
///         never use its bytes as an identifier or against replay; the context is there for that.
contract Groth16Verifier is IGroth16Verifier {
    // ------------------------------------------------------------- constants

    /// Largest absolute value of a public integer.
    int256 private constant MAX_INTEGER = 2 ** 52;

    bytes32 private constant MAGIC = "countersign.key.groth16.1";
    uint256 private constant FLAG_DEV = uint256(Setup.Dev);
    uint256 private constant FLAG_CEREMONY = uint256(Setup.Ceremony);

    /// Positions of words in the blob.
    uint256 private constant FLAGS = 1;
    uint256 private constant SIGNALS = 2;
    uint256 private constant OUTPUTS = 3;
    uint256 private constant MODEL = 4;
    uint256 private constant ALPHA = 6;
    uint256 private constant BETA = 8;
    uint256 private constant GAMMA = 12;
    uint256 private constant DELTA = 16;
    uint256 private constant IC = 20;
    /// Words behind the points, in a key of a ceremony alone; positions among them.
    uint256 private constant CEREMONY_WORDS = 5;
    uint256 private constant PTAU = 0;
    uint256 private constant CONTRIBUTORS = 2;
    uint256 private constant BEACON = 3;
    uint256 private constant TRANSCRIPT = 4;

    /// Largest data of a chunk: the code size limit of EIP-170 less the STOP byte.
    uint256 private constant CHUNK = 24575;

    // --------------------------------------------------------------- storage

    /// Contracts that hold the blob of a key, in order.
    mapping(bytes32 key => address[] chunks) private _chunks;

    // ---------------------------------------------------------- registration

    /// @inheritdoc IKeyRegistry
    function registerKey(bytes calldata blob) external returns (bytes32 key) {
        return _register(blob, false);
    }

    /// @inheritdoc IKeyRegistry
    function registerDevKey(bytes calldata blob) external returns (bytes32 key) {
        return _register(blob, true);
    }

    // ---------------------------------------------------------- verification

    /// @inheritdoc IGroth16Verifier
    function verifyInference(
        bytes32 key,
        bytes32 model,
        bytes32 context,
        int256[] calldata outputs,
        int256[] calldata inputs,
        uint256[8] calldata proof
    ) external view returns (bool) {
        return _verifyInference(_load(key, false), model, context, outputs, inputs, proof);
    }

    /// @inheritdoc IGroth16Verifier
    function verifyDevInference(
        bytes32 key,
        bytes32 model,
        bytes32 context,
        int256[] calldata outputs,
        int256[] calldata inputs,
        uint256[8] calldata proof
    ) external view returns (bool) {
        return _verifyInference(_load(key, true), model, context, outputs, inputs, proof);
    }

    /// @inheritdoc IGroth16Verifier
    function verifyProof(bytes32 key, uint256[] calldata signals, uint256[8] calldata proof)
        external
        view
        returns (bool)
    {
        uint256[] memory blob = _load(key, false);
        if (signals.length != blob[SIGNALS]) revert WrongCount(blob[SIGNALS], signals.length);
        return _verifyProof(blob, signals, proof);
    }

    // ----------------------------------------------------------------- views

    /// @inheritdoc IKeyRegistry
    function isRegistered(bytes32 key) external view returns (bool) {
        return _chunks[key].length != 0;
    }

    /// @inheritdoc IKeyRegistry
    function isDev(bytes32 key) external view returns (bool) {
        return _load(key, true)[FLAGS] == FLAG_DEV;
    }

    /// @inheritdoc IKeyRegistry
    function provenanceOf(bytes32 key) external view returns (Provenance memory) {
        uint256[] memory words = _load(key, true);
        Provenance memory provenance;
        provenance.setup = Setup(words[FLAGS]);
        if (words[FLAGS] != FLAG_CEREMONY) return provenance;
        uint256 start = words.length - CEREMONY_WORDS;
        provenance.ptau = [bytes32(words[start + PTAU]), bytes32(words[start + PTAU + 1])];
        provenance.contributors = words[start + CONTRIBUTORS];
        provenance.beacon = bytes32(words[start + BEACON]);
        provenance.transcript = bytes32(words[start + TRANSCRIPT]);
        return provenance;
    }

    /// @inheritdoc IKeyRegistry
    function modelOf(bytes32 key) external view returns (bytes32) {
        return bytes32(_load(key, true)[MODEL]);
    }

    // ------------------------------------------------- internal: registration

    function _register(bytes calldata blob, bool allowDev) private returns (bytes32 key) {
        key = keccak256(blob);
        address[] storage chunks = _chunks[key];
        if (chunks.length != 0) {
            _load(key, allowDev);
            return key;
        }

        uint256[] memory words = _words(blob);
        if (!allowDev) _refuseForgeable(key, words);
        _checkPoints(words);

        for (uint256 from = 0; from < blob.length; from += CHUNK) {
            uint256 to = from + CHUNK < blob.length ? from + CHUNK : blob.length;
            chunks.push(address(new KeyChunk(blob[from:to])));
        }
        emit KeyRegistered(key, bytes32(words[MODEL]), words[FLAGS] == FLAG_DEV, words[SIGNALS]);
    }

    /// The words of a blob whose header is consistent with its length.
    function _words(bytes calldata blob) private pure returns (uint256[] memory words) {
        if (blob.length < 32 * IC) revert WrongLength(32 * IC, blob.length);
        if (bytes32(blob[:32]) != MAGIC) revert UnknownFormat();
        words = new uint256[](blob.length / 32);
        for (uint256 i = 0; i < words.length; i++) words[i] = uint256(bytes32(blob[32 * i:32 * i + 32]));
        if (words[FLAGS] > FLAG_CEREMONY) revert UnknownFlags(words[FLAGS]);
        (uint256 signals, uint256 outputs) = (words[SIGNALS], words[OUTPUTS]);
        if (outputs == 0 || outputs >= signals || signals > blob.length) revert WrongSignalCounts(signals, outputs);
        uint256 behind = words[FLAGS] == FLAG_CEREMONY ? CEREMONY_WORDS : 0;
        uint256 expected = 32 * (IC + 2 * (signals + 1) + behind);
        if (blob.length != expected) revert WrongLength(expected, blob.length);
    }

    function _checkPoints(uint256[] memory words) private view {
        if (!onCurve(words[ALPHA], words[ALPHA + 1])) revert InvalidPoint(ALPHA);
        uint256 end = IC + 2 * (words[SIGNALS] + 1);
        for (uint256 i = IC; i < end; i += 2) {
            if (!onCurve(words[i], words[i + 1])) revert InvalidPoint(i);
        }
        _checkG2(words, BETA);
        _checkG2(words, GAMMA);
        _checkG2(words, DELTA);
        // Equal x: equal or opposite points. Whoever knows one of them, or the ratio of two, can forge.
        if (words[ALPHA] == 1 || _isGenerator(words, BETA) || _isGenerator(words, DELTA)) revert Uncontributed();
        if (_sameX(words, BETA, GAMMA) || _sameX(words, BETA, DELTA)) revert Uncontributed();
        if (_sameX(words, GAMMA, DELTA)) revert Uncontributed();
        // Gamma is one in every setup of today, so it may be the generator, but not its opposite.
        if (_isGenerator(words, GAMMA) && words[GAMMA + 2] != G2_Y1) revert Uncontributed();
    }

    /// The pairing of infinity and P is one for every P of the subgroup, and an error for anything else
    /// (EIP-197): the precompile checks what Solidity cannot at a bearable price.
    function _checkG2(uint256[] memory words, uint256 start) private view {
        uint256[] memory pair = new uint256[](6);
        bool infinity = true;
        for (uint256 i = 0; i < 4; i++) {
            pair[2 + i] = words[start + i];
            infinity = infinity && words[start + i] == 0;
        }
        if (infinity || !_pairing(pair)) revert InvalidPoint(start);
    }

    /// Whether a point is the generator or its opposite.
    function _isGenerator(uint256[] memory words, uint256 start) private pure returns (bool) {
        return words[start] == G2_X1 && words[start + 1] == G2_X0;
    }

    function _sameX(uint256[] memory words, uint256 a, uint256 b) private pure returns (bool) {
        return words[a] == words[b] && words[a + 1] == words[b + 1];
    }

    // ------------------------------------------------- internal: verification

    function _verifyInference(
        uint256[] memory blob,
        bytes32 model,
        bytes32 context,
        int256[] calldata outputs,
        int256[] calldata inputs,
        uint256[8] calldata proof
    ) private view returns (bool) {
        uint256 n = blob[OUTPUTS];
        if (outputs.length != n) revert WrongCount(n, outputs.length);
        if (inputs.length != blob[SIGNALS] - n - 1) revert WrongCount(blob[SIGNALS] - n - 1, inputs.length);
        if (bytes32(blob[MODEL]) != model) return false;

        uint256[] memory signals = new uint256[](blob[SIGNALS]);
        if (!_toSignals(outputs, signals, 0) || !_toSignals(inputs, signals, n + 1)) return false;
        signals[n] = uint256(keccak256(abi.encode(context))) % R;
        return _verifyProof(blob, signals, proof);
    }

    /// Writes field elements of signed integers from `start` on; false if one is out of range.
    function _toSignals(int256[] calldata values, uint256[] memory signals, uint256 start) private pure returns (bool) {
        for (uint256 i = 0; i < values.length; i++) {
            int256 x = values[i];
            if (x > MAX_INTEGER || x < -MAX_INTEGER) return false;
            signals[start + i] = x < 0 ? R - uint256(-x) : uint256(x);
        }
        return true;
    }

    /// e(-A, B) e(alpha, beta) e(ic(signals), gamma) e(C, delta) = 1
    function _verifyProof(uint256[] memory blob, uint256[] memory signals, uint256[8] calldata proof)
        private
        view
        returns (bool)
    {
        for (uint256 i = 0; i < signals.length; i++) {
            if (signals[i] >= R) return false;
        }
        if (!onCurve(proof[0], proof[1]) || !onCurve(proof[6], proof[7])) return false;
        if (proof[2] == 0 && proof[3] == 0 && proof[4] == 0 && proof[5] == 0) return false;

        uint256[] memory pairs = new uint256[](24);
        pairs[0] = proof[0];
        pairs[1] = Q - proof[1]; // the order is odd, so y is never zero
        for (uint256 i = 0; i < 4; i++) {
            pairs[2 + i] = proof[2 + i];
            pairs[8 + i] = blob[BETA + i];
            pairs[14 + i] = blob[GAMMA + i];
            pairs[20 + i] = blob[DELTA + i];
        }
        (pairs[6], pairs[7]) = (blob[ALPHA], blob[ALPHA + 1]);
        (pairs[12], pairs[13]) = _linear(blob, signals);
        (pairs[18], pairs[19]) = (proof[6], proof[7]);
        return _pairing(pairs);
    }

    /// ic[0] + sum of signals[i] * ic[i + 1]. The points were checked when the key was registered.
    function _linear(uint256[] memory blob, uint256[] memory signals) private view returns (uint256 x, uint256 y) {
        uint256[4] memory sum; // running sum, next summand
        uint256[3] memory term; // point, factor
        (sum[0], sum[1]) = (blob[IC], blob[IC + 1]);
        for (uint256 i = 0; i < signals.length; i++) {
            if (signals[i] == 0) continue;
            term[0] = blob[IC + 2 + 2 * i];
            term[1] = blob[IC + 3 + 2 * i];
            term[2] = signals[i];
            bool ok;
            assembly ("memory-safe") {
                ok := staticcall(MUL_GAS, 7, term, 0x60, add(sum, 0x40), 0x40)
                ok := and(ok, eq(returndatasize(), 0x40))
                ok := and(staticcall(ADD_GAS, 6, sum, 0x80, sum, 0x40), ok)
                ok := and(ok, eq(returndatasize(), 0x40))
            }
            if (!ok) revert PrecompileFailed();
        }
        return (sum[0], sum[1]);
    }

    // --------------------------------------------------- internal: curve, data

    /// Whether the product of the pairings is one; false if the precompile refuses a point.
    function _pairing(uint256[] memory pairs) private view returns (bool) {
        uint256 price = PAIRING_GAS + PAIR_GAS * (pairs.length / 6);
        // EIP-150 withholds one part in 64 from a call.
        if (gasleft() < price + price / 63 + 2000) revert NotEnoughGas();
        uint256[1] memory result;
        bool ok;
        assembly ("memory-safe") {
            ok := staticcall(price, 8, add(pairs, 0x20), mul(mload(pairs), 0x20), result, 0x20)
            ok := and(ok, eq(returndatasize(), 0x20))
        }
        return ok && result[0] == 1;
    }

    /// The words of a registered key.
    function _load(bytes32 key, bool allowDev) private view returns (uint256[] memory words) {
        address[] storage chunks = _chunks[key];
        uint256 n = chunks.length;
        if (n == 0) revert UnknownKey(key);
        uint256 last = chunks[n - 1].code.length - 1;
        words = new uint256[](((n - 1) * CHUNK + last) / 32);
        for (uint256 i = 0; i < n; i++) {
            address chunk = chunks[i];
            uint256 offset = 32 + i * CHUNK;
            uint256 size = i + 1 < n ? CHUNK : last;
            assembly ("memory-safe") {
                extcodecopy(chunk, add(words, offset), 1, size)
            }
        }
        if (!allowDev) _refuseForgeable(key, words);
    }

    /// Somebody can forge for such keys, by what they say themselves.
    function _refuseForgeable(bytes32 key, uint256[] memory words) private pure {
        if (words[FLAGS] == FLAG_DEV) revert DevKey(key);
        if (words[FLAGS] != FLAG_CEREMONY) return;
        if (words[words.length - CEREMONY_WORDS + CONTRIBUTORS] == 0) revert UncontributedKey(key);
    }
}
