// SPDX-License-Identifier: MIT
pragma solidity ^0.8.4;

/// @title  CountersignWords
/// @notice Reads integers out of the words of a statement, for contracts that act on what a model said.
/// @dev    A word has 248 bits for as many elements of `bits` bits as fit, the first lowest, each less the
///         least value `lo`; a tensor begins with a word of its own, outputs come before inputs. Which word a
///         tensor begins with, `bits` and `lo` are in the layout that the key's digest binds; the real value is
///         the integer times the layout's scale.
library CountersignWords {
    /// @notice Element `index` (row-major) of the public tensor whose words begin at `firstWord`. Its words
    ///         must have been verified; an index beyond the tensor reads what is there, if anything.
    function valueAt(uint256[] calldata words, uint256 firstWord, uint256 bits, int256 lo, uint256 index)
        internal
        pure
        returns (int256)
    {
        uint256 perWord = 248 / bits;
        uint256 word = words[firstWord + index / perWord];
        uint256 offset = (word >> (bits * (index % perWord))) & ((1 << bits) - 1);
        return lo + int256(offset);
    }
}
