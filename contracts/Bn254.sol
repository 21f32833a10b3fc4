// SPDX-License-Identifier: MIT
pragma solidity ^0.8.18;

// The curve bn254 of EIP-196 and EIP-197: what both verifiers know of it.

/// @dev Order of the curve and of the scalar field.
uint256 constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;
/// @dev Prime of the coordinates.
uint256 constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

/// @dev The generator of G2 (EIP-197), imaginary parts first.
uint256 constant G2_X1 = 11559732032986387107991004021392285783925812861821192530917403151452391805634;
uint256 constant G2_X0 = 10857046999023057135944570762232829481370756359578518086990519993285655852781;
uint256 constant G2_Y1 = 4082367875863433681332203403145435568316851327593401208105741076214120093531;
uint256 constant G2_Y0 = 8495653923123431417604973247489272438418190587263600148770280649306958101930;

/// @dev Prices of the precompiles (EIP-1108). A precompile that fails eats all the gas it is given, so it is
///      given no more than its price.
uint256 constant ADD_GAS = 150;
uint256 constant MUL_GAS = 6000;
uint256 constant PAIRING_GAS = 45000;
uint256 constant PAIR_GAS = 34000;

/// @dev Whether (x, y) is a point other than infinity: y^2 = x^3 + 3, canonical. G1 has no cofactor.
function onCurve(uint256 x, uint256 y) pure returns (bool) {
    return x < Q && y < Q && mulmod(y, y, Q) == addmod(mulmod(x, mulmod(x, x, Q), Q), 3, Q);
}
