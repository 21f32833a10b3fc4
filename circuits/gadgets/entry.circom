pragma circom 2.2.0;
include "range.circom";
include "member.circom";

/*
 * Entry: out = f[in], where there is a lookup argument.
 *
 * @proves     out = f[in]
 * @input      in: assumes an integer in [0, m); f: m integers in [0, 2^b); m <= 2^j, j + b <= 52
 * @output     out: guarantees f[in]
 * @cost       lookups for b bits and one in FunctionTable(m, j, f), no row
 * @hints      out (rangeOut and memberPair): for an entry t, in + 2^j * out = t + 2^j * f[t], so in - t =
 *             2^j * (f[t] - out). Both sides are small integers and the left one is less than 2^j in magnitude:
 *             in = t and out = f[t]
 * @source     two columns packed into one; no second challenge, because out is known to be small
 */
template Entry(m, b, j, f) {
    signal input in;
    signal output out;
    out <-- f[in];
    component rangeOut = Range(b);
    rangeOut.in <== out;
    component memberPair = FunctionTable(m, j, f);
    memberPair.in <== in + (1 << j) * out;
}
