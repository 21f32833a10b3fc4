// SPDX-License-Identifier: MIT
// 0.8.25 is the first compiler that targets Cancun by itself (mcopy, transient storage), and 0.8.28 the first
// with transient state variables.
pragma solidity ^0.8.28;

import {ADD_GAS, G2_X0, G2_X1, G2_Y0, G2_Y1, MUL_GAS, onCurve, PAIRING_GAS, PAIR_GAS, Q, R} from "./Bn254.sol";
import {ICountersignVerifier} from "./ICountersignVerifier.sol";
import {IKeyRegistry} from "./IKeyRegistry.sol";

/// @notice A contract whose code is data: one STOP byte, then the blob of a verification key.
/// @dev    The blob comes from the creator, not from the creation code, so that the creation code is the same
///         for all keys and the address follows from the key's digest alone.
contract KeyData {
    constructor() {
        bytes memory code = abi.encodePacked(bytes1(0x00), CountersignVerifier(msg.sender).pendingKey());
        assembly ("memory-safe") {
            return(add(code, 0x20), mload(code))
        }
    }
}

/// @title  CountersignVerifier
/// @notice Verifies two-phase receipts (MIRAGE, eprint 2020/278, curve bn254 of EIP-196 and EIP-197) of any
///         number of models. A verification key is a blob named by its keccak256 and registered once by
///         anybody: what to trust is the caller's choice of `key`, never a matter of who registered it.
/// @dev    A proof (A, B, C, D) is valid for words p_0 ... p_(n-1) in a context when all words are below r and
///
///             e(A, B) = e(alpha, beta) e(ic_0 + c ic_1 + ev ic_2, 1) e(D, deltaC) e(C, delta)
///             c  = keccak256(key . context . n . p_0 ... p_(n-1) . D.x . D.y) mod r
///             ev = p_0 c + p_1 c^2 + ... + p_(n-1) c^n mod r
///
///         with one more factor e(D_w, deltaW) on the right where the key is of a model with private weights: D_w is the
///         commitment to them, and as a part of the key it is bound by the key's digest.
///         The challenge c binds key, context, words and D: none of them can be chosen after it.
///         Blob, 26 words: magic, flags, n, how many of them are outputs, model, layout digest, alpha1 (2),
///         beta2 (4), delta2 (4), deltaC2 (4), ic (3 points of 2); for private weights, which its flags say, seven
///         more: architecture, D_w (2), deltaW2 (4); then for a key of a ceremony, which they say too, five: powers of
///         tau (2), contributors, beacon, transcript. Coordinates of G2 have the imaginary part first. Proof words: A.x, A.y, B.x1, B.x0, B.y1, B.y0, C.x, C.y, D.x, D.y.
///         docs/FORMATS.md has the whole definition, and what the words mean. Anyone can re-randomise a proof,
///         so never use its bytes as an identifier or against replay; the context is there for that.
contract CountersignVerifier is ICountersignVerifier {
    // ------------------------------------------------------------- constants

    bytes32 private constant MAGIC = "countersign.key.mirage.1";
    uint256 private constant FLAG_DEV = uint256(Setup.Dev);
    uint256 private constant FLAG_CEREMONY = uint256(Setup.Ceremony);
    /// The lower bits of the flags are the setup; this one is for private weights, and the highest.
    uint256 private constant FLAG_SETUP = 3;
    uint256 private constant FLAG_PRIVATE = 4;

    /// Positions of words in the blob.
    uint256 private constant FLAGS = 1;
    uint256 private constant WORDS = 2;
    uint256 private constant OUTPUTS = 3;
    uint256 private constant MODEL = 4;
    uint256 private constant LAYOUT = 5;
    uint256 private constant ALPHA = 6;
    uint256 private constant BETA = 8;
    uint256 private constant DELTA = 12;
    uint256 private constant DELTA_C = 16;
    uint256 private constant IC = 20;
    uint256 private constant IC_END = 26;
    /// In a key of private weights alone; D_w and deltaW stand behind one another, as a pairing takes them.
    uint256 private constant ARCHITECTURE = 26;
    uint256 private constant WEIGHTS = 27;
    uint256 private constant DELTA_W = 29;
    uint256 private constant PRIVATE_WORDS = 7;
    /// Behind the points, in a key of a ceremony alone, PRIVATE_WORDS later of private weights: powers of tau (2),
    /// contributors, beacon, transcript.
    uint256 private constant PTAU = 26;
    uint256 private constant CONTRIBUTORS = 28;
    /// Words of the longest blob: a shorter one reads as zeros behind its end.
    uint256 private constant LENGTH = 38;

    uint256 private constant BLOB_BYTES = 832;
    uint256 private constant CEREMONY_BLOB_BYTES = 992;

    /// What the digest of a model with private weights begins with.
    bytes32 private constant MODEL_TAG = "countersign.model.1";

    /// Most words a key may have: no statement of docs/FORMATS.md has more values.
    uint256 private constant MAX_WORDS = 2 ** 22;

    uint256 private constant FIVE_PAIRS_GAS = 215000;
    uint256 private constant SIX_PAIRS_GAS = 249000;
    /// What must be left before the first precompile of a verification: two multiplications, two additions,
    /// five pairs, the 64th part that EIP-150 withholds from the last call, and what happens in between.
    uint256 private constant VERDICT_GAS = 231700;
    /// What must be left before six pairs, of private weights: they, the part withheld, and reading the sixth.
    uint256 private constant SIXTH_VERDICT_GAS = 253400;

    /// Part of every key's address (EIP-1014).
    bytes32 private immutable _creationCodeHash = keccak256(type(KeyData).creationCode);

    // -------------------------------------------------------------- transient

    /// The blob that is being registered, for the constructor of `KeyData`. It ends with the transaction, and all
    /// words are written before each use, so nothing is left over from an earlier one. Variables of their own,
    /// because the language has no transient arrays; their slots follow one another.
    uint256 private transient _w0;
    uint256 private transient _w1;
    uint256 private transient _w2;
    uint256 private transient _w3;
    uint256 private transient _w4;
    uint256 private transient _w5;
    uint256 private transient _w6;
    uint256 private transient _w7;
    uint256 private transient _w8;
    uint256 private transient _w9;
    uint256 private transient _w10;
    uint256 private transient _w11;
    uint256 private transient _w12;
    uint256 private transient _w13;
    uint256 private transient _w14;
    uint256 private transient _w15;
    uint256 private transient _w16;
    uint256 private transient _w17;
    uint256 private transient _w18;
    uint256 private transient _w19;
    uint256 private transient _w20;
    uint256 private transient _w21;
    uint256 private transient _w22;
    uint256 private transient _w23;
    uint256 private transient _w24;
    uint256 private transient _w25;
    uint256 private transient _w26;
    uint256 private transient _w27;
    uint256 private transient _w28;
    uint256 private transient _w29;
    uint256 private transient _w30;
    uint256 private transient _w31;
    uint256 private transient _w32;
    uint256 private transient _w33;
    uint256 private transient _w34;
    uint256 private transient _w35;
    uint256 private transient _w36;
    uint256 private transient _w37;

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

    /// @inheritdoc ICountersignVerifier
    function verifyInference(
        bytes32 key,
        bytes32 context,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external view returns (bool) {
        return _verify(key, context, words, proof, false);
    }

    /// @inheritdoc ICountersignVerifier
    function verifyDevInference(
        bytes32 key,
        bytes32 context,
        uint256[] calldata words,
        uint256[10] calldata proof
    ) external view returns (bool) {
        return _verify(key, context, words, proof, true);
    }

    // ----------------------------------------------------------------- views

    /// @inheritdoc IKeyRegistry
    function isRegistered(bytes32 key) external view returns (bool) {
        return _addressOf(key).code.length != 0;
    }

    /// @inheritdoc IKeyRegistry
    function isDev(bytes32 key) external view returns (bool) {
        return _word(_dataOf(key), FLAGS) & FLAG_SETUP == FLAG_DEV;
    }

    /// @inheritdoc IKeyRegistry
    function provenanceOf(bytes32 key) external view returns (Provenance memory) {
        address data = _dataOf(key);
        uint256 flags = _word(data, FLAGS);
        bytes32[5] memory told;
        // of no ceremony there is nothing behind: zeros
        uint256 from = 1 + 32 * (flags < FLAG_PRIVATE ? PTAU : PTAU + PRIVATE_WORDS);
        assembly ("memory-safe") {
            extcodecopy(data, told, from, 0xa0)
        }
        return Provenance(Setup(flags & FLAG_SETUP), [told[0], told[1]], uint256(told[2]), told[3], told[4]);
    }

    /// @inheritdoc IKeyRegistry
    function modelOf(bytes32 key) external view returns (bytes32) {
        return bytes32(_word(_dataOf(key), MODEL));
    }

    /// @inheritdoc ICountersignVerifier
    function wordsOf(bytes32 key) external view returns (uint256 words, uint256 outputs) {
        address data = _dataOf(key);
        return (_word(data, WORDS), _word(data, OUTPUTS));
    }

    /// @inheritdoc ICountersignVerifier
    function architectureOf(bytes32 key) external view returns (bytes32) {
        address data = _dataOf(key);
        return _word(data, FLAGS) < FLAG_PRIVATE ? bytes32(0) : bytes32(_word(data, ARCHITECTURE));
    }

    /// @inheritdoc ICountersignVerifier
    function layoutOf(bytes32 key) external view returns (bytes32) {
        return bytes32(_word(_dataOf(key), LAYOUT));
    }

    /// @notice For the creation code of `KeyData` alone: the key that is being registered.
    function pendingKey() external view returns (bytes memory blob) {
        blob = new bytes(_blobBytes(_w1));
        assembly ("memory-safe") {
            let words := add(blob, 0x20)
            for { let at := 0 } lt(at, mload(blob)) { at := add(at, 0x20) } {
                mstore(add(words, at), tload(add(_w0.slot, shr(5, at))))
            }
        }
    }

    // ------------------------------------------------- internal: registration

    function _register(bytes calldata blob, bool allowDev) private returns (bytes32 key) {
        uint256[LENGTH] memory words = _words(blob);
        key = keccak256(blob);
        uint256 setup = _setup(words);
        if (!allowDev && setup == FLAG_DEV) revert DevKey(key);
        if (!allowDev && setup == FLAG_CEREMONY && _contributors(words) == 0) revert UncontributedKey(key);
        if (_addressOf(key).code.length != 0) return key;

        (uint256 n, uint256 outputs) = (words[WORDS], words[OUTPUTS]);
        if (outputs == 0 || outputs > n || n > MAX_WORDS) revert WrongWordCounts(n, outputs);
        _checkPoints(words);
        if (_isPrivate(words)) _checkWeights(words);
        _handOver(words);
        new KeyData{salt: key}();
        emit KeyRegistered(key, bytes32(words[MODEL]), setup == FLAG_DEV, n);
    }

    /// The words of a blob that has the length its flags say.
    function _words(bytes calldata blob) private pure returns (uint256[LENGTH] memory words) {
        if (blob.length < BLOB_BYTES) revert WrongLength(BLOB_BYTES, blob.length);
        if (bytes32(blob[:32]) != MAGIC) revert UnknownFormat();
        uint256 flags = uint256(bytes32(blob[32:64]));
        if (flags > (FLAG_PRIVATE | FLAG_SETUP) || flags & FLAG_SETUP > FLAG_CEREMONY) revert UnknownFlags(flags);
        if (blob.length != _blobBytes(flags)) revert WrongLength(_blobBytes(flags), blob.length);
        assembly ("memory-safe") {
            calldatacopy(words, blob.offset, blob.length)
        }
    }

    function _blobBytes(uint256 flags) private pure returns (uint256) {
        uint256 bytesOf = flags & FLAG_SETUP == FLAG_CEREMONY ? CEREMONY_BLOB_BYTES : BLOB_BYTES;
        return flags & FLAG_PRIVATE == 0 ? bytesOf : bytesOf + 32 * PRIVATE_WORDS;
    }

    function _setup(uint256[LENGTH] memory words) private pure returns (uint256) {
        return words[FLAGS] & FLAG_SETUP;
    }

    function _isPrivate(uint256[LENGTH] memory words) private pure returns (bool) {
        return words[FLAGS] & FLAG_PRIVATE != 0;
    }

    function _contributors(uint256[LENGTH] memory words) private pure returns (uint256) {
        return words[_isPrivate(words) ? CONTRIBUTORS + PRIVATE_WORDS : CONTRIBUTORS];
    }

    /// Says to `pendingKey` what it answers to the constructor of `KeyData`.
    function _handOver(uint256[LENGTH] memory w) private {
        _w0 = w[0]; _w1 = w[1]; _w2 = w[2]; _w3 = w[3];
        _w4 = w[4]; _w5 = w[5]; _w6 = w[6]; _w7 = w[7];
        _w8 = w[8]; _w9 = w[9]; _w10 = w[10]; _w11 = w[11];
        _w12 = w[12]; _w13 = w[13]; _w14 = w[14]; _w15 = w[15];
        _w16 = w[16]; _w17 = w[17]; _w18 = w[18]; _w19 = w[19];
        _w20 = w[20]; _w21 = w[21]; _w22 = w[22]; _w23 = w[23];
        _w24 = w[24]; _w25 = w[25]; _w26 = w[26]; _w27 = w[27];
        _w28 = w[28]; _w29 = w[29]; _w30 = w[30];
        if (!_isPrivate(w)) return;
        _w31 = w[31]; _w32 = w[32]; _w33 = w[33]; _w34 = w[34];
        _w35 = w[35]; _w36 = w[36]; _w37 = w[37];
    }

    function _checkPoints(uint256[LENGTH] memory words) private view {
        if (!onCurve(words[ALPHA], words[ALPHA + 1])) revert InvalidPoint(ALPHA);
        for (uint256 i = IC; i < IC_END; i += 2) {
            if (!onCurve(words[i], words[i + 1])) revert InvalidPoint(i);
        }
        _checkG2(words, BETA);
        _checkG2(words, DELTA);
        _checkG2(words, DELTA_C);
        // Equal x: equal or opposite points. Whoever knows a delta, or the ratio of two, can forge.
        if (words[ALPHA] == 1 || _isGenerator(words, BETA)) revert Uncontributed();
        if (_isGenerator(words, DELTA) || _isGenerator(words, DELTA_C)) revert Uncontributed();
        if (_sameX(words, BETA, DELTA) || _sameX(words, BETA, DELTA_C)) revert Uncontributed();
        if (_sameX(words, DELTA, DELTA_C)) revert Uncontributed();
    }

    /// The points of private weights, and that the model is that of this commitment to them.
    function _checkWeights(uint256[LENGTH] memory words) private view {
        if (!onCurve(words[WEIGHTS], words[WEIGHTS + 1])) revert InvalidPoint(WEIGHTS);
        _checkG2(words, DELTA_W);
        if (_isGenerator(words, DELTA_W) || _sameX(words, DELTA_W, BETA)) revert Uncontributed();
        if (_sameX(words, DELTA_W, DELTA) || _sameX(words, DELTA_W, DELTA_C)) revert Uncontributed();
        bytes32 model =
            keccak256(abi.encode(MODEL_TAG, words[ARCHITECTURE], words[WEIGHTS], words[WEIGHTS + 1]));
        if (bytes32(words[MODEL]) != model) revert WrongModel(model, bytes32(words[MODEL]));
    }

    /// The pairing of infinity and P is one for every P of the subgroup, and an error for anything else
    /// (EIP-197): the precompile checks what Solidity cannot at a bearable price.
    function _checkG2(uint256[LENGTH] memory words, uint256 start) private view {
        if (words[start] | words[start + 1] | words[start + 2] | words[start + 3] == 0) revert InvalidPoint(start);
        uint256 price = PAIRING_GAS + PAIR_GAS;
        // EIP-150 withholds one part in 64 from a call.
        if (gasleft() < price + price / 63 + 2000) revert NotEnoughGas();
        uint256[6] memory pair;
        for (uint256 i = 0; i < 4; i++) pair[2 + i] = words[start + i];
        bool ok;
        assembly ("memory-safe") {
            ok := staticcall(price, 8, pair, 0xc0, 0x00, 0x20)
            ok := and(ok, eq(returndatasize(), 0x20))
        }
        if (!ok) revert InvalidPoint(start);
    }

    function _isGenerator(uint256[LENGTH] memory words, uint256 start) private pure returns (bool) {
        return words[start] == G2_X1 && words[start + 1] == G2_X0;
    }

    function _sameX(uint256[LENGTH] memory words, uint256 a, uint256 b) private pure returns (bool) {
        return words[a] == words[b] && words[a + 1] == words[b + 1];
    }

    // ------------------------------------------------- internal: key data

    /// Where a key is, if it is registered (EIP-1014). Nothing else can be there: only this contract creates
    /// from its address, always with the same code, and with the digest of a checked blob as salt.
    function _addressOf(bytes32 key) private view returns (address) {
        bytes32 hash = keccak256(abi.encodePacked(bytes1(0xff), address(this), key, _creationCodeHash));
        return address(uint160(uint256(hash)));
    }

    function _dataOf(bytes32 key) private view returns (address data) {
        data = _addressOf(key);
        if (data.code.length == 0) revert UnknownKey(key);
    }

    /// A word of a registered blob; zero behind its end.
    function _word(address data, uint256 at) private view returns (uint256 word) {
        assembly ("memory-safe") {
            extcodecopy(data, 0x00, add(1, shl(5, at)), 0x20)
            word := mload(0x00)
        }
    }

    // ------------------------------------------------- internal: verification

    /// A verification spends 227,300 gas in precompiles, of private weights 34,000 more; the code around them is assembly so that it adds
    /// little. Memory is used at fixed places from 0x80 on, where Solidity's own begins: nothing was allocated
    /// before, and nothing is afterwards but the arguments of an error. First the blob and, where its points
    /// end, the transcript of the challenge; then the pairs of points, which take their places:
    ///
    ///     0x140  0x180  0x200  0x280   0x300 0x340 0x380  0x3c0  0x400
    ///     alpha  beta   delta  deltaC  ic_0  ic_1  ic_2   sum    key, context, n, words, D
    ///
    ///     0x140        0x200  0x240   0x2c0  0x300    0x380  0x3c0   0x440        0x480      0x500
    ///     alpha, beta  -A     B       D      deltaC   C      delta   public part  generator  D_w, deltaW
    ///
    /// All of it is checked before it is believed: n and flags here, the points of the key when it was
    /// registered, coordinates, curves and subgroup of the proof's points by the precompile (EIP-197 demands
    /// it). What the precompile lets pass is infinity, so that is refused here: it alone has y = 0, as the
    /// orders of both groups are odd.
    function _verify(
        bytes32 key,
        bytes32 context,
        uint256[] calldata words,
        uint256[10] calldata proof,
        bool allowDev
    ) private view returns (bool valid) {
        bytes32 codeHash = _creationCodeHash;
        uint256 data;
        uint256 flags;
        uint256 n;
        assembly ("memory-safe") {
            // Address of the key's data, as in `_addressOf`; the instruction takes its low 160 bits.
            mstore(0x80, or(shl(248, 0xff), shl(88, address())))
            mstore(0x95, key)
            mstore(0xb5, codeHash)
            // An address without code reads as zeros, and no registered key has n = 0.
            data := keccak256(0x80, 0x55)
            extcodecopy(data, 0x80, 1, CEREMONY_BLOB_BYTES)
            flags := mload(0xa0)
            n := mload(0xc0)
        }
        if (n != words.length) {
            if (n == 0) revert UnknownKey(key);
            revert WrongCount(n, words.length);
        }
        if (!allowDev && flags & FLAG_SETUP != 0) {
            if (flags & FLAG_SETUP == FLAG_DEV) revert DevKey(key);
            uint256 contributors;
            assembly ("memory-safe") {
                contributors := mload(0x400)
                // of private weights word 35
                if and(flags, FLAG_PRIVATE) {
                    extcodecopy(data, 0x00, 1121, 0x20)
                    contributors := mload(0x00)
                }
            }
            if (contributors == 0) revert UncontributedKey(key);
        }

        uint256 ok;
        assembly ("memory-safe") {
            // Transcript. In calldata n stands before the words, as it does here.
            mstore(0x400, key)
            mstore(0x420, context)
            let size := shl(5, n)
            calldatacopy(0x440, sub(words.offset, 0x20), add(size, 0x20))
            let end := add(0x460, size)
            calldatacopy(end, add(proof, 0x100), 0x40)
            let c := mod(keccak256(0x400, add(size, 0xa0)), R)

            // Finite: B's y in two parts, C's, D's. A's y is subtracted from Q below, and must not become
            // zero. No words at all: only an unknown key comes as far.
            ok := and(and(gt(n, 0), gt(or(calldataload(add(proof, 0x80)), calldataload(add(proof, 0xa0))), 0)),
                and(lt(calldataload(add(proof, 0x20)), Q),
                and(gt(calldataload(add(proof, 0xe0)), 0), gt(calldataload(add(proof, 0x120)), 0))))

            // ev by Horner's rule, from the last word to the first and four at a time; up to three zeros
            // behind the last word make their number a multiple of four. Every word must be below r: then no
            // sum overflows, and else the result does not matter.
            mstore(end, 0)
            mstore(add(end, 0x20), 0)
            mstore(add(end, 0x40), 0)
            let ev := 0
            for { let p := add(0x460, shl(7, shr(2, add(n, 3)))) } gt(p, 0x460) {} {
                p := sub(p, 0x80)
                let w0 := mload(p)
                let w1 := mload(add(p, 0x20))
                let w2 := mload(add(p, 0x40))
                let w3 := mload(add(p, 0x60))
                ok := and(and(and(lt(w0, R), lt(w1, R)), and(lt(w2, R), lt(w3, R))), ok)
                ev := mulmod(add(mulmod(add(ev, w3), c, R), w2), c, R)
                ev := mulmod(add(mulmod(add(ev, w1), c, R), w0), c, R)
            }
            mstore(0x3c0, ev) // behind ic_2
            mstore(0x400, c) // for after the next product; the transcript is done with
        }
        if (ok == 0) {
            if (n == 0) revert UnknownKey(key);
            return false;
        }
        if (gasleft() < VERDICT_GAS) revert NotEnoughGas();

        assembly ("memory-safe") {
            // Arguments are evaluated from the last to the first: each call before its returndatasize.
            ok := and(eq(returndatasize(), 0x40), staticcall(MUL_GAS, 7, 0x380, 0x60, 0x3c0, 0x40)) // ev ic_2
            mstore(0x380, mload(0x400)) // c, behind ic_1
            // c ic_1 goes behind ic_0, their sum before ev ic_2, and the sum of all to its pair
            ok := and(and(eq(returndatasize(), 0x40), staticcall(MUL_GAS, 7, 0x340, 0x60, 0x340, 0x40)), ok)
            ok := and(and(eq(returndatasize(), 0x40), staticcall(ADD_GAS, 6, 0x300, 0x80, 0x380, 0x40)), ok)
            ok := and(and(eq(returndatasize(), 0x40), staticcall(ADD_GAS, 6, 0x380, 0x80, 0x440, 0x40)), ok)
        }
        if (ok == 0) revert PrecompileFailed();

        assembly ("memory-safe") {
            // The generator of G2; delta and deltaC from where the proof's points go next.
            mstore(0x480, G2_X1)
            mstore(0x4a0, G2_X0)
            mstore(0x4c0, G2_Y1)
            mstore(0x4e0, G2_Y0)
            mcopy(0x3c0, 0x200, 0x80) // delta
            mcopy(0x300, 0x280, 0x80) // deltaC
            calldatacopy(0x200, proof, 0xc0) // A, B
            calldatacopy(0x380, add(proof, 0xc0), 0x40) // C
            calldatacopy(0x2c0, add(proof, 0x100), 0x40) // D
            // -A; a y of zero becomes Q, which the precompile refuses
            mstore(0x220, sub(Q, mload(0x220)))
        }

        // The product of the pairings is one. No more gas than the price: a failure eats it all.
        if (flags < FLAG_PRIVATE) {
            assembly ("memory-safe") {
                ok := staticcall(FIVE_PAIRS_GAS, 8, 0x140, 0x3c0, 0x00, 0x20)
            }
        } else {
            if (gasleft() < SIXTH_VERDICT_GAS) revert NotEnoughGas();
            assembly ("memory-safe") {
                extcodecopy(data, 0x500, 865, 0xc0) // D_w, deltaW: from word 27 on
                ok := staticcall(SIX_PAIRS_GAS, 8, 0x140, 0x480, 0x00, 0x20)
            }
        }
        assembly ("memory-safe") {
            valid := and(and(ok, eq(returndatasize(), 0x20)), eq(mload(0x00), 1))
        }
    }
}
