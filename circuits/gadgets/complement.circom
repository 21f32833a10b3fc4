pragma circom 2.2.0;
include "range.circom";

/*
 * Complement: out = max(floor(acc / 2^k), 0), for accumulators that cannot exceed the window above. The
 * quotient is out - rest, two non-negative integers of which one is zero.
 *
 * @proves     out = max(acc >> k, 0)
 * @input      acc: assumes -2^k * (2^e - 1) <= acc < 2^(k+n) as an integer, n >= 1, e >= 1,
 *             k + max(n, e) <= 120
 * @output     out: guarantees the integer max(floor(acc / 2^k), 0), so one in [0, 2^n)
 * @cost       k + n + e + 3 (bit strategy); lookups for k, n and e bits and 1 row
 * @hints      out (rangeOut), rest (rangeRest), both by rangeLo: acc - 2^k * (out - rest) in [0, 2^k) has, for
 *             small integers, only out - rest = floor(acc / 2^k); and by the row out * rest = 0
 * @source     sign-magnitude decomposition
 */
template Complement(k, n, e) {
    signal input acc;
    signal output out;

    var size = n > e ? n : e;
    var quotient = ((acc + (1 << (k + size))) >> k) - (1 << size);
    signal rest;
    out <-- quotient > 0 ? quotient : 0;
    rest <-- quotient > 0 ? 0 : -quotient;

    component rangeOut = Range(n);
    rangeOut.in <== out;
    component rangeRest = Range(e);
    rangeRest.in <== rest;
    component rangeLo = Range(k);
    rangeLo.in <== acc - (1 << k) * (out - rest);
    out * rest === 0;
}
