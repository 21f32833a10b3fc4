// SPDX-License-Identifier: MIT
pragma solidity ^0.8.19;

/// @title  Layouts
/// @notice The one thing that contracts read of a layout: whether all outputs are public. A commitment to the very same output
///         is another word under another salt, so two of them contradict each other no more than a proof of one does the
///         other: an honest operator would be punished for making a second salt.
library Layouts {
    /// How canonical JSON of a layout ends whose outputs are all public: the last output's last member, and the closing.
    /// Outputs that are committed to come after public ones.
    bytes32 private constant PUBLIC_END = keccak256('"visibility":"public"}]}');
    uint256 private constant PUBLIC_END_BYTES = 24;

    /// @notice Whether a layout's canonical JSON, whose digest the caller has compared, has public outputs alone.
    function isPublic(bytes calldata json) internal pure returns (bool) {
        if (json.length < PUBLIC_END_BYTES) return false;
        return keccak256(json[json.length - PUBLIC_END_BYTES:]) == PUBLIC_END;
    }
}
