/**
 * Who answers for it: attestations, policies and sign-offs, made and checked without a chain. Claims are EIP-712
 * structs, so the contracts of this package check the very same signatures.
 */
export {
  type CredentialClaim,
  didKey,
  type ExpectedCredential,
  explainCredential,
  parseCredential,
  type SignOffCredential,
  signCredential,
} from "./adapters/credential.js"
export { type Answer, answerText, parseAnswer } from "./answer.js"
export {
  type AttestationFacts,
  attest,
  type Execution,
  type ExpectedAttestation,
  explainAttestation,
  proves,
  relationProblem,
  signAttestation,
  statementProblem,
  verifyAttestation,
} from "./attestation.js"
export {
  type IntegerLimit,
  integerLimits,
  noContracts,
  type OnChainPolicy,
  onChainPolicy,
  type PolicyContracts,
} from "./bounds.js"
export { canonicalJson, jsonDigest } from "./canonical.js"
export {
  attestationDigest,
  layoutDigest,
  policyDigest,
  sideDigests,
  signOffDigest,
  typedDomain,
  typesOf,
  withdrawalDigest,
} from "./digest.js"
export {
  documentDigest,
  grounds,
  type Limit,
  type PolicyDocument,
  parseDocument,
  remedies,
  sixMonthsDays,
} from "./document.js"
export { type Evidence, evidenceDigest, parseEvidence } from "./evidence.js"
export { documentIn, predicateName, predicateOf } from "./predicate.js"
export { claimOf, parseAttestation, parseDomain, parsePolicy, parseSignOff, parseWithdrawal } from "./read.js"
export { type Accounts, type ClaimSigner, signatureProblem, toAddress } from "./signature.js"
export {
  explainSignOff,
  isSignedOff,
  type Shown,
  signOffProblems,
  signSignOff,
  signWithdrawal,
} from "./signoffs.js"
export * from "./structs.js"
export { type Opened, within, withinTolerance } from "./within.js"
