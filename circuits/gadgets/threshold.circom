pragma circom 2.2.0;
include "range.circom";

/*
 * Threshold: out = 1 if acc >= 2^k, else 0: a rescale to one bit, where what lies between does not matter.
 *
 * @proves     out = clamp(acc >> k, 0, 1)
 * @input      acc: assumes 2^k - 2^n <= acc < 2^k + 2^n as an integer, n >= 1, n + 1 <= 120
 * @output     out: guarantees 0 or 1
 * @cost       n + 2 (bit strategy); lookups for n bits and 1 row
 * @hints      out (boolean row) by rangeRest: acc - 2^k + 2^n * (1 - out) in [0, 2^n) is acc - 2^k for out = 1,
 *             which asks for acc >= 2^k, and acc - 2^k + 2^n for out = 0, which asks for acc < 2^k
 * @source     two's complement: the sign bit
 */
template Threshold(k, n) {
    signal input acc;
    signal output out;

    out <-- acc + (1 << n) - (1 << k) >= (1 << n) ? 1 : 0;

    out * (out - 1) === 0;
    component rangeRest = Range(n);
    rangeRest.in <== acc - (1 << k) + (1 << n) * (1 - out);
}
