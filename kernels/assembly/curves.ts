/** Kernels of the two groups of points. */
export { digits } from "./digits"
export {
  accumulate as g1Accumulate,
  combine as g1Combine,
  pippengerScratch as g1PippengerScratch,
  reduce as g1Reduce,
  sort as g1Sort,
} from "./g1/pippenger"
export { projectiveBytes as g1ProjectiveBytes } from "./g1/projective"
export { readPoints as g1ReadPoints, readScratch as g1ReadScratch } from "./g1/files"
export { pointBytes as g1PointBytes, treeScratch as g1TreeScratch } from "./g1/tree"
