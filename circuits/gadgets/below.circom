pragma circom 2.2.0;
include "range.circom";
include "member.circom";

/*
 * Below: out = f[floor((max - in) / 2^k)], what a function of the distance from a maximum gives, where there is a lookup
 * argument. The quotient has no range check: as with entry.circom, the table says that it is one of its indices.
 *
 * @proves     out = f[(max - in) >> k], and max >= in
 * @input      max, in: assume integers with |max - in| < 2^k * m; f: m integers in [0, 2^b); 2^j > 2 * m,
 *             j + b <= 52, k <= 52
 * @output     out: guarantees f[(max - in) >> k], and that max - in is not negative
 * @cost       lookups for k and b bits and one in FunctionTable(m, j, f), no row
 * @hints      out (rangeOut), steps and the remainder lo = max - in - 2^k * steps in [0, 2^k) (rangeLo): for an entry t,
 *             steps + 2^j * out = t + 2^j * f[t] (memberPair), so max - in - lo - 2^k * t = 2^(k+j) * (f[t] - out).
 *             Both sides are small integers and the left one is less than 2^k * (2 * m + 1) <= 2^(k+j) in magnitude:
 *             both are zero, so out = f[t] and max - in = lo + 2^k * t with t >= 0
 * @source     two columns packed into one, with the quotient of truncate.circom
 */
template Below(k, m, b, j, f) {
    signal input max;
    signal input in;
    signal output out;

    signal steps;
    steps <-- (max - in) >> k;
    out <-- f[(max - in) >> k];

    component rangeOut = Range(b);
    rangeOut.in <== out;
    component memberPair = FunctionTable(m, j, f);
    memberPair.in <== steps + (1 << j) * out;
    component rangeLo = Range(k);
    rangeLo.in <== max - in - (1 << k) * steps;
}
