// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

// What people sign and agree on, as contracts and TypeScript (`countersign/attest`) have it: the same fields in the same
// order. The first six are EIP-712 structs; docs/FORMATS.md says what each field means. Times are seconds since 1970.

/// @notice The operator's claim: with this model and key, this input gave this output.
struct Attestation {
    // digests of the integer model, of the verification key, and of the key's layout
    bytes32 model;
    bytes32 key;
    bytes32 layout;
    // keccak256 of the statement's input words, and of its output words
    bytes32 input;
    bytes32 output;
    // digest of the policy that it is made under
    bytes32 policy;
    // digest of what else the operator holds about it
    bytes32 evidence;
    // who signs, and answers for it
    address operator;
    // what it answers: the id of a request, or zero
    bytes32 request;
    uint64 started;
    uint64 issued;
    // the last second in which it may be acted on
    uint64 validUntil;
}

/// @notice Somebody's word on an attestation, in a role.
struct SignOff {
    // digest of the attestation
    bytes32 attestation;
    // one of ROLE_…, one of DECISION_…
    uint8 role;
    uint8 decision;
    // what was looked at: the digest of the policy, or of any other document
    bytes32 scope;
    address signer;
    uint64 signed;
    uint64 validUntil;
}

/// @notice A sign-off taken back by its signer.
struct Withdrawal {
    // digest of the sign-off
    bytes32 signOff;
    uint64 withdrawn;
}

/// @notice A limit on one element of a statement: least <= lo + ((words[word] >> shift) & (2^bits - 1)) <= most.
struct Bound {
    // index among all words of the statement, outputs first
    uint32 word;
    uint8 shift;
    uint8 bits;
    int64 lo;
    int64 least;
    int64 most;
}

/// @notice Somebody who must stand behind an attestation, in a role.
struct Requirement {
    uint8 role;
    address signer;
}

/// @notice The half of a policy that contracts check.
struct Policy {
    // digest of the whole document
    bytes32 document;
    // the model, and who can recall it
    address registry;
    uint256 modelId;
    // the escrow that has to call the attestation proven or final; zero: none
    address escrow;
    Bound[] bounds;
    Requirement[] signOffs;
}

/// @notice Everything that `isActionable` looks at.
struct Claim {
    Attestation attestation;
    // the operator's
    bytes signature;
    Policy policy;
    // all words of the statement, and how many of them, the first, are outputs
    uint256[] words;
    uint256 outputs;
    // for each requirement of the policy, in its order, a sign-off and its signature
    SignOff[] signOffs;
    bytes[] signatures;
}

/// @notice What a client and an operator agree on. Never stored: a request's id is its digest.
struct Terms {
    address client;
    address operator;
    // zero: ETH
    address token;
    // what the client pays
    uint128 price;
    // the operator's bond: damages to the client, costs to who shows the fault. A challenger stakes as much as costs.
    uint128 damages;
    uint128 costs;
    // which model, under which key; the key's layout
    bytes32 key;
    bytes32 model;
    bytes32 layout;
    // where the model can be recalled, and its id there; zero: nowhere
    address registry;
    uint256 modelId;
    bytes32 policy;
    // keccak256 of the input words
    bytes32 input;
    // the last second for a delivery; how long it can be challenged; how long a challenge can be answered
    uint64 deliverBy;
    uint32 challengeWindow;
    uint32 answerWindow;
    // of the client's choice, so that equal requests have different ids
    bytes32 salt;
}

uint8 constant ROLE_OWNER = 1;
uint8 constant ROLE_OPERATOR = 2;
uint8 constant ROLE_EVALUATOR = 3;
uint8 constant ROLE_APPROVER = 4;
uint8 constant ROLE_CLIENT = 5;

uint8 constant DECISION_APPROVE = 1;
uint8 constant DECISION_REJECT = 2;
uint8 constant DECISION_ABSTAIN = 3;
