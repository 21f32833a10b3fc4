pragma circom 2.2.0;
include "range.circom";

/*
 * Rectify: out = max(floor(acc / 2^k), 0), for accumulators that cannot exceed the window above.
 *
 * @proves     out = clamp(acc >> k, 0, 2^n - 1)
 * @input      acc: assumes -2^(k+n) <= acc < 2^(k+n) as an integer, n >= 1, k+n <= 120
 * @output     out: guarantees an integer in [0, 2^n)
 * @cost       k + n + 3 (bit strategy)
 * @hints      lo (rangeLo), low (rangeLow), negative (boolean row); all by the decomposition row, whose
 *             two sides are small integers: quotient = low - 2^n * negative
 * @source     two's complement
 */
template Rectify(k, n) {
    signal input acc;
    signal output out;

    var shifted = acc + (1 << (k + n));
    signal lo, low, negative;
    lo <-- shifted & ((1 << k) - 1);
    low <-- (shifted >> k) & ((1 << n) - 1);
    negative <-- 1 - (shifted >> (k + n));

    component rangeLo = Range(k);
    rangeLo.in <== lo;
    component rangeLow = Range(n);
    rangeLow.in <== low;

    negative * (negative - 1) === 0;
    acc === lo + (1 << k) * (low - (1 << n) * negative);
    out <== (1 - negative) * low;
}
