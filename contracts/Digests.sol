// SPDX-License-Identifier: MIT
pragma solidity ^0.8.19;

import {Attestation, Bound, Policy, Requirement, SignOff, Terms, Withdrawal} from "./CountersignTypes.sol";

/// @title  Digests
/// @notice The one place in Solidity that hashes what people sign (EIP-712) and agree on.
/// @dev    Members of static structs are words in EIP-712 as in the ABI, so a struct's encoding is what stands in calldata,
///         and attestations and terms are hashed from there: 2,200 gas less a delivery. A member with more bits than its
///         type has would make another digest; every call that stores one encodes the struct in an event, too, which
///         reverts for such a member.
library Digests {
    bytes32 internal constant DOMAIN =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 internal constant NAME = keccak256("Countersign");
    bytes32 internal constant VERSION = keccak256("1");

    bytes32 internal constant ATTESTATION = keccak256(
        "Attestation(bytes32 model,bytes32 key,bytes32 layout,bytes32 input,bytes32 output,bytes32 policy,bytes32 evidence,address operator,bytes32 request,uint64 started,uint64 issued,uint64 validUntil)"
    );
    bytes32 internal constant SIGN_OFF = keccak256(
        "SignOff(bytes32 attestation,uint8 role,uint8 decision,bytes32 scope,address signer,uint64 signed,uint64 validUntil)"
    );
    bytes32 internal constant WITHDRAWAL = keccak256("Withdrawal(bytes32 signOff,uint64 withdrawn)");
    bytes32 internal constant BOUND =
        keccak256("Bound(uint32 word,uint8 shift,uint8 bits,int64 lo,int64 least,int64 most)");
    bytes32 internal constant REQUIREMENT = keccak256("Requirement(uint8 role,address signer)");
    bytes32 internal constant POLICY = keccak256(
        "Policy(bytes32 document,address registry,uint256 modelId,address escrow,Bound[] bounds,Requirement[] signOffs)Bound(uint32 word,uint8 shift,uint8 bits,int64 lo,int64 least,int64 most)Requirement(uint8 role,address signer)"
    );

    uint256 internal constant ATTESTATION_BYTES = 12 * 32;
    uint256 internal constant TERMS_BYTES = 17 * 32;

    /// @notice What the operator signs under a book on this chain, and the context of the receipt that proves it.
    function ofAttestation(Attestation calldata a, address book) internal view returns (bytes32) {
        bytes32 typeHash = ATTESTATION;
        bytes32 hashedStruct;
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, typeHash)
            calldatacopy(add(free, 0x20), a, ATTESTATION_BYTES)
            hashedStruct := keccak256(free, add(ATTESTATION_BYTES, 0x20))
        }
        return _typed(book, hashedStruct);
    }

    /// @notice What a signer signs.
    function ofSignOff(SignOff calldata s, address book) internal view returns (bytes32) {
        return _typed(book, keccak256(abi.encode(SIGN_OFF, s)));
    }

    /// @notice What a signer signs to take a sign-off back.
    function ofWithdrawal(Withdrawal memory w, address book) internal view returns (bytes32) {
        return _typed(book, keccak256(abi.encode(WITHDRAWAL, w)));
    }

    /// @notice hashStruct of a policy; no domain, as its registry and escrow are addresses already.
    function ofPolicy(Policy calldata p) internal pure returns (bytes32) {
        bytes32[] memory bounds = new bytes32[](p.bounds.length);
        for (uint256 i = 0; i < bounds.length; i++) bounds[i] = keccak256(abi.encode(BOUND, p.bounds[i]));
        bytes32[] memory signOffs = new bytes32[](p.signOffs.length);
        for (uint256 i = 0; i < signOffs.length; i++) {
            signOffs[i] = keccak256(abi.encode(REQUIREMENT, p.signOffs[i]));
        }
        bytes32 hashedBounds = keccak256(abi.encodePacked(bounds));
        bytes32 hashedSignOffs = keccak256(abi.encodePacked(signOffs));
        return keccak256(
            abi.encode(POLICY, p.document, p.registry, p.modelId, p.escrow, hashedBounds, hashedSignOffs)
        );
    }

    /// @notice Id of a request: its chain, its escrow and all that was agreed.
    function ofTerms(Terms calldata t, address escrow) internal view returns (bytes32 id) {
        assembly ("memory-safe") {
            let free := mload(0x40)
            mstore(free, chainid())
            mstore(add(free, 0x20), escrow)
            calldatacopy(add(free, 0x40), t, TERMS_BYTES)
            id := keccak256(free, add(TERMS_BYTES, 0x40))
        }
    }

    /// @notice Context of the proof that convicts an operator. It names who brings the proof, so nobody else can.
    function ofConviction(bytes32 id, address escrow, address prover) internal view returns (bytes32) {
        return keccak256(abi.encode("countersign.conviction", block.chainid, escrow, id, prover));
    }

    /// @notice Digest of some words of a statement: of those from `from` up to `to`.
    function ofWords(uint256[] calldata words, uint256 from, uint256 to) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(words[from:to]));
    }

    /// The chain is asked each time: after a fork signatures hold on the chain that kept its number alone.
    function _typed(address book, bytes32 hashedStruct) private view returns (bytes32) {
        bytes32 domain = keccak256(abi.encode(DOMAIN, NAME, VERSION, block.chainid, book));
        return keccak256(abi.encodePacked(hex"1901", domain, hashedStruct));
    }
}
