pragma circom 2.2.0;
include "range.circom";
include "member.circom";

/*
 * Step: out = f[floor(acc / 2^k)], where there is a lookup argument. The quotient has no range check: as with
 * below.circom, the table says that it is one of its indices.
 *
 * @proves     out = f[acc >> k], and acc >= 0
 * @input      acc: assumes an integer with |acc| < 2^k * m; f: m integers in [0, 2^b); 2^j > 2 * m, j + b <= 52, k <= 52
 * @output     out: guarantees f[acc >> k]
 * @cost       lookups for k and b bits and one in FunctionTable(m, j, f), no row
 * @hints      out (rangeOut), steps and the remainder lo = acc - 2^k * steps in [0, 2^k) (rangeLo): for an entry t,
 *             steps + 2^j * out = t + 2^j * f[t] (memberPair), so acc - lo - 2^k * t = 2^(k+j) * (f[t] - out). Both sides
 *             are small integers and the left one is less than 2^k * (2 * m + 1) <= 2^(k+j) in magnitude: both are zero,
 *             so out = f[t] and acc = lo + 2^k * t
 * @source     below.circom, with nothing that is subtracted from
 */
template Step(k, m, b, j, f) {
    signal input acc;
    signal output out;

    signal steps;
    steps <-- acc >> k;
    out <-- f[acc >> k];

    component rangeOut = Range(b);
    rangeOut.in <== out;
    component memberPair = FunctionTable(m, j, f);
    memberPair.in <== steps + (1 << j) * out;
    component rangeLo = Range(k);
    rangeLo.in <== acc - (1 << k) * steps;
}
