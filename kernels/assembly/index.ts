/** Exports of the kernel modules: (item, args, scratch) → void, as the pool calls them; structs are listed in structs.ts there. */
export * from "./fieldcalls"
export { raw2 as frRaw2 } from "./butterfly"
export * from "./sparse"
export { lookup, lookupRange, lookupScratch } from "./lookup"
export {
  columnSums,
  combinationsScratch,
  combine,
  lagrange,
  lagrangeRange,
  lagrangeScratch,
  mapLimbs,
  mapSums,
  sumsScratch,
} from "./sums"
export * from "./tables"
export {
  transformBlocks,
  transformBlocksDown,
  transformBlocksUp,
  transformCosets,
  transformDown,
  transformEnter,
  transformQuotient,
  transformUp,
} from "./transform"
export { pairing, pairingLimit, pairingScratch } from "./pairing"
export * from "./curves"
