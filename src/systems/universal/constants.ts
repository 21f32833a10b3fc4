/**
 * The constants of snarkjs's PLONK and FFLONK over a domain of n points, none of which a key may choose: k1 and k2,
 * which make three disjoint cosets; ω of order n; of FFLONK the roots of orders 3, 4 and 8, and wr, a cube root of ω.
 * Roots of order m are powers of 5^((r−1)/m), as everywhere here. Of cube roots snarkjs took w3 = the square of that,
 * and for wr the power of its root for n = 2^28, which is that of order 3·2^28 times w3.
 */
import { power, r } from "../../field.js"

const rootOf = (order: number): bigint => power(5n, (r - 1n) / BigInt(order))

const largest = 2 ** 28

export function constantsOf(domain: number) {
  const w3 = power(rootOf(3), 2n)
  return {
    k1: 2n,
    k2: 3n,
    w: rootOf(domain),
    w3,
    w4: rootOf(4),
    w8: rootOf(8),
    wr: power(rootOf(3 * largest) * w3, BigInt(largest / domain)),
  }
}
