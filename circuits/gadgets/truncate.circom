pragma circom 2.2.0;
include "range.circom";

/*
 * Truncate: out = floor(acc / 2^k), for accumulators that are never negative.
 *
 * @proves     acc = lo + 2^k * out with 0 <= lo < 2^k and 0 <= out < 2^n
 * @input      acc: assumes 0 <= acc < 2^(k+n) as an integer, k+n <= 120
 * @output     out: guarantees an integer in [0, 2^n)
 * @cost       k + n + 2 (bit strategy)
 * @hints      lo (rangeLo) and out (rangeOut), both by the decomposition row
 * @source     Euclidean division
 */
template Truncate(k, n) {
    signal input acc;
    signal output out;

    signal lo;
    lo <-- acc & ((1 << k) - 1);
    out <-- acc >> k;

    component rangeLo = Range(k);
    rangeLo.in <== lo;
    component rangeOut = Range(n);
    rangeOut.in <== out;

    acc === lo + (1 << k) * out;
}
