/** Kernels of the two groups of points. */
export { digits, largest } from "./digits"
export {
  accumulate as g1Accumulate,
  combine as g1Combine,
  fold as g1Fold,
  join as g1Join,
  pippengerScratch as g1PippengerScratch,
  reduce as g1Reduce,
  sort as g1Sort,
} from "./g1/pippenger"
export { stage as g1Stage, stageScratch as g1StageScratch } from "./g1/butterflies"
export {
  baseScratch as g1BaseScratch,
  multiplyBase as g1MultiplyBase,
  tableBases as g1TableBases,
  tableFill as g1TableFill,
} from "./g1/fixedbase"
export { partsBytes } from "./g1/butterflies"
export { baseRange } from "./g1/fixedbase"
export { multiplesRange } from "./g1/multiples"
export { multiples as g1Multiples, multiplesScratch as g1MultiplesScratch } from "./g1/multiples"
export {
  merge as g1Merge,
  ranges as g1Ranges,
  rangesScratch as g1RangesScratch,
} from "./g1/ranges"
export { partBits as g1PartBits, parts as g1Parts } from "./g1/endomorphism"
export { projectiveBytes as g1ProjectiveBytes } from "./g1/projective"
export {
  fileScratch as g1FileScratch,
  offCurve as g1OffCurve,
  readPoints as g1ReadPoints,
  uncompressed as g1Uncompressed,
  writePoints as g1WritePoints,
} from "./g1/files"
export { pointBytes as g1PointBytes, treeScratch as g1TreeScratch } from "./g1/tree"
export {
  accumulate as g2Accumulate,
  combine as g2Combine,
  fold as g2Fold,
  join as g2Join,
  pippengerScratch as g2PippengerScratch,
  reduce as g2Reduce,
  sort as g2Sort,
} from "./g2/pippenger"
export { stage as g2Stage, stageScratch as g2StageScratch } from "./g2/butterflies"
export {
  baseScratch as g2BaseScratch,
  multiplyBase as g2MultiplyBase,
  tableBases as g2TableBases,
  tableFill as g2TableFill,
} from "./g2/fixedbase"
export { multiples as g2Multiples, multiplesScratch as g2MultiplesScratch } from "./g2/multiples"
export {
  merge as g2Merge,
  ranges as g2Ranges,
  rangesScratch as g2RangesScratch,
} from "./g2/ranges"
export { partBits as g2PartBits, parts as g2Parts } from "./g2/endomorphism"
export { projectiveBytes as g2ProjectiveBytes } from "./g2/projective"
export {
  fileScratch as g2FileScratch,
  offCurve as g2OffCurve,
  readPoints as g2ReadPoints,
  uncompressed as g2Uncompressed,
  writePoints as g2WritePoints,
} from "./g2/files"
export { pointBytes as g2PointBytes, treeScratch as g2TreeScratch } from "./g2/tree"
