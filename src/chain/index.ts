/**
 * The contracts of the package through ethers: deploying and opening them, and every step of a request, checked before
 * it is paid for and never sent twice. It proves nothing and loads no prover.
 */
export { actionableProblem, type Claimed, finalClient } from "./actionable.js"
export {
  abiOf,
  type Contracts,
  chainTime,
  type DeployOptions,
  deployContracts,
  openContracts,
  planDeployment,
} from "./contracts.js"
export {
  addressOf,
  type ContractName,
  contractNames,
  type Deployment,
  parseDeployment,
} from "./deployment.js"
export { connect, type EndpointOptions } from "./endpoint.js"
export {
  asChainError,
  ChainError,
  type ChainProblem,
  decodeRevert,
  describeRevert,
  onChain,
  type Revert,
} from "./errors.js"
export {
  convictionContext,
  creditOf,
  deliveredAttestation,
  deliveredFor,
  type Ending,
  type PayOptions,
  type Proof,
  planAnswer,
  planChallenge,
  planConvict,
  planDeliver,
  planRequest,
  planSettle,
  planWithdraw,
  type RequestState,
  type Step,
  stateOf,
} from "./escrow.js"
export {
  beginning,
  type Decision,
  type Delivery,
  type Mark,
  type Place,
  parsePlace,
  type Stake,
  type Watched,
} from "./place.js"
export { type Call, decimalsOf, type Payment, type Plan, parseAmount, plan } from "./plan.js"
export {
  anchoredSize,
  commitmentOf,
  isRegistered,
  type ModelCommitment,
  planAnchor,
  planEquivocation,
  planRecall,
  planRecord,
  planRegisterKey,
  planRegisterModel,
} from "./register.js"
export { type SendOptions, type Sent, send } from "./send.js"
export { type Situation, situationOf } from "./situation.js"
export type { StakeLimits } from "./stakes.js"
export { type Amounts, type End, type Payee, payouts, type State, states } from "./states.js"
export {
  amountsOf,
  checkPlace,
  duesOf,
  type EscrowRequest,
  parseRequest,
  parseTerms,
  requestId,
  requestOf,
  requestText,
  type Terms,
} from "./terms.js"
export { watch, watchOnce } from "./watch.js"
export type { Judge, Verdict, WatchEvent, WatchOptions } from "./watching.js"
