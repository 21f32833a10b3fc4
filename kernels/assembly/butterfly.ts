/** Butterflies of the transforms; w is one element, for both lanes. */
import { add2, difLazy2, gather2, mul2, pairBytes, sub2 } from "./fr"
export { raw2 } from "./raw"
/** (u, v) = (u + v, (v − u)·w), w in both lanes. */
export function difButterfly(u: usize, v: usize, w: usize, temp: usize): void {
  difLazy2(temp, v, u)
  add2(u, u, v)
  gather2(temp + pairBytes, w, w)
  mul2(v, temp, temp + pairBytes)
}
/** (u, v) = (u + v, u − v). */
export function difOnes(u: usize, v: usize, temp: usize): void {
  sub2(temp, u, v)
  add2(u, u, v)
  memory.copy(v, temp, pairBytes)
}
/** (u, v) = (u + v·w, u − v·w). */
export function ditButterfly(u: usize, v: usize, w: usize, temp: usize): void {
  gather2(temp + pairBytes, w, w)
  mul2(temp, v, temp + pairBytes)
  sub2(v, u, temp)
  add2(u, u, temp)
}
export function ditOnes(u: usize, v: usize, temp: usize): void {
  sub2(temp, u, v)
  add2(u, u, v)
  memory.copy(v, temp, pairBytes)
}
