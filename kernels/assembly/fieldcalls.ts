/**
 * Arithmetic of the two fields of bn254, exported for tests and for small work of the thread that opened the
 * pool. The files fq.ts (coordinates) and fr.ts (scalars) are generated: kernels/generate; each variant of the
 * module (scalar, relaxed) has its own, with the same interface:
 *
 * Everything works on *pairs*: two independent field elements, lanes 0 and 1, of `pairBytes` bytes at an
 * address divisible by 8 (by 16 it is fastest). A single element in memory takes `elementBytes`; which digits
 * are in it is the variant's own business. Results may lie where operands lie.
 *
 *     read2(z, from0, from1)   z ← two integers < 2^256 in 32 bytes, little endian, as v·2^256 (Montgomery form
 *                              of .zkey files); a plain integer v is read so as v·2^-256
 *     write2(to0, to1, x)      the canonical representative, in that form
 *     gather2(z, x0, x1)       z ← single elements at x0 and x1
 *     scatter2(z0, z1, x)      single elements at z0 and z1 ← x
 *     mul2(z, x, y), sqr2(z, x), add2(z, x, y), sub2(z, x, y)
 *     norm2(z, x)              the same value as a normal element
 *     sumLazy2, difLazy2(z, x, y)
 *     mulSub2(z, x, y, s)      x·y − s; z must not be s
 *     gatherSigned2(z, x0, x1, sign0, sign1)  as gather2, negated where bit 0 of the sign is set
 *     mulSubScatter2(z0, z1, x, y, s)         single elements at z0 and z1 ← x·y − s
 *     sqrSubScatter2(z0, z1, e, x, y, d)      single elements at z0 and z1 ← x² − 2y − d, and e ← y less them, lazy;
 *                                             d is a lazy difference of a normal element and y
 *     gatherDifference2(z, d, l0, l1, r0, r1) z ← single elements at l0 and l1, d ← those at r0 and r1 less z, lazy
 *     gatherSignedDifference2                 the same, each negated where bit 0 of its address is set
 *     one2(z), zeroes2(x)      1 and 1; bit l is set if lane l is zero mod p
 *
 * Rule of ranges: results are *normal*, but for those of sumLazy2 and difLazy2, which are *lazy*, and those of
 * gatherSigned2, which are normal as an operand of difLazy2 and lazy elsewhere, also within
 * gatherSignedDifference2. Operands of sumLazy2, difLazy2, sqr2, sqrSubScatter2, scatter2 and write2 must be
 * normal. mul2, mulSub2, mulSubScatter2, add2, sub2, norm2 and zeroes2 also take lazy ones, and so does what is
 * subtracted, except that at most one factor of a mul2 may be a lazy sum or the
 * difference of signed elements. A lazy sum or difference costs a tenth of a normal one: use it for what is
 * multiplied next.
 */
export {
  elementBytes,
  pairBytes,
  mul2 as fqMul2,
  sqr2 as fqSqr2,
  mulSub2 as fqMulSub2,
  mulSubScatter2 as fqMulSubScatter2,
  sqrSubScatter2 as fqSqrSubScatter2,
  gatherDifference2 as fqGatherDifference2,
  gatherSignedDifference2 as fqGatherSignedDifference2,
  add2 as fqAdd2,
  sub2 as fqSub2,
  sumLazy2 as fqSumLazy2,
  difLazy2 as fqDifLazy2,
  norm2 as fqNorm2,
  read2 as fqRead2,
  write2 as fqWrite2,
  gather2 as fqGather2,
  scatter2 as fqScatter2,
  one2 as fqOne2,
  zeroes2 as fqZeroes2,
} from "./fq"
export {
  mul2 as frMul2,
  sqr2 as frSqr2,
  mulSub2 as frMulSub2,
  mulSubScatter2 as frMulSubScatter2,
  sqrSubScatter2 as frSqrSubScatter2,
  gatherDifference2 as frGatherDifference2,
  gatherSignedDifference2 as frGatherSignedDifference2,
  add2 as frAdd2,
  sub2 as frSub2,
  sumLazy2 as frSumLazy2,
  difLazy2 as frDifLazy2,
  norm2 as frNorm2,
  read2 as frRead2,
  write2 as frWrite2,
  gather2 as frGather2,
  scatter2 as frScatter2,
  one2 as frOne2,
  zeroes2 as frZeroes2,
} from "./fr"

/** End of the constants of the module; memory from here on is whoever's. */
export const dataEnd: usize = __heap_base
