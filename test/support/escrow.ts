/** What tests of the chain's helpers share: a chain with a deployment, people with accounts, and a request of theirs. */
import { JsonRpcProvider, NonceManager, Wallet } from "ethers"
import { attest, type SignedAttestation, signAttestation, sideDigests, attestationDigest, layoutDigest } from "#src/attest/index.js"
import { type Contracts, deployContracts, type EscrowRequest, openContracts, planRegisterKey, requestOf, type Terms } from "#src/chain/index.js"
import { keyDigest, type MirageReceipt, type Statement } from "#src/verifier/index.js"
import type { Hex } from "#src/statement/strict.js"
import { type Chain, startChain } from "../../examples/chain.js"
import { layoutOf, type MirageOracle, mirageOracle, statementOf } from "./mirage-oracle.js"
import { ceremony } from "./provenances.js"
