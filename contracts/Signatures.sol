// SPDX-License-Identifier: MIT
pragma solidity ^0.8.24;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

/// @title  Signatures
/// @notice Who signed a digest: an account with 65 bytes (r, s, v; s in the lower half, so nobody can make a second
///         one of it), or a contract that says so (ERC-1271).
/// @dev    An account's own signature holds whatever code it has: else an account could sign two things, delegate to
///         code (EIP-7702) that denies it, and never be held to either. What a contract signed holds as long as it says
///         so. It is asked without leave to change anything, and its answer is read as one word: a signer that reverts,
///         returns anything else, or burns its gas has not signed.
library Signatures {
    function isBy(address signer, bytes32 digest, bytes calldata signature) internal view returns (bool) {
        (address recovered, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        if (failure == ECDSA.RecoverError.NoError && recovered == signer) return true;
        return signer.code.length != 0
            && SignatureChecker.isValidERC1271SignatureNowCalldata(signer, digest, signature);
    }
}
