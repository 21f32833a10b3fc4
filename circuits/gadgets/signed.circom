pragma circom 2.2.0;
include "range.circom";
include "member.circom";

/*
 * Signed: out = min(max(floor(acc / 2^k), 0), 2^w - 1). The distance d = floor(acc / 2^k) - out is a number of
 * n digits in base 2^w, all of one sign, and one table says per digit: zero if 0 <= out < 2^w, positive only
 * with out = 2^w - 1, negative only with out = 0.
 *
 * @proves     out = clamp(acc >> k, 0, 2^w - 1)
 * @input      acc: assumes an integer with |acc| <= M, M < 2^52, where with z = max(x, y)
 *             2^(k+j) > M + 2^(k+w) + 2^k * z * (1 + 2^w + ... + 2^(w(n-1))); n = 1 or x, y >= 2^w - 1; and
 *             -y' <= d <= x' for the largest numbers x', -y' whose n digits are in [0, x], [-y, 0]
 * @output     out: guarantees an integer in [0, 2^w)
 * @cost       lookups for k and w bits, n in SignedTable(w, x, y, j), no row
 * @hints      out (rangeOut); digit[i], by memberDigit[i] and rangeLo: the table gives digit[i] = v_i + 2^j * (g_i -
 *             out) for an entry (v_i, g_i), so acc - lo - 2^k * (out + sum 2^(wi) v_i) = 2^(k+j) * sum 2^(wi) *
 *             (g_i - out). Both sides are small integers, the left one less than 2^(k+j), so both are zero; and
 *             |g_i - out| < 2^w makes every g_i = out. Then all v_i have the sign that out allows
 * @source     the argument above
 */
template Signed(k, w, n, x, y, j) {
    signal input acc;
    signal output out;

    var size = 60;
    var quotient = ((acc + (1 << (k + size))) >> k) - (1 << size);
    var top = (1 << w) - 1;
    var sign = quotient < 0 ? -1 : 1;
    var rest = quotient < 0 ? -quotient : (quotient > top ? quotient - top : 0);
    signal digit[n];
    out <-- quotient < 0 ? 0 : (quotient > top ? top : quotient);
    for (var i = 0; i < n; i++) {
        digit[i] <-- sign * (i < n - 1 ? rest & top : rest);
        rest = rest >> w;
    }

    component rangeOut = Range(w);
    rangeOut.in <== out;
    component memberDigit[n];
    var d = 0;
    for (var i = 0; i < n; i++) {
        memberDigit[i] = SignedTable(w, x, y, j);
        memberDigit[i].in <== digit[i] + (1 << j) * out;
        d += (1 << (w * i)) * digit[i];
    }
    component rangeLo = Range(k);
    rangeLo.in <== acc - (1 << k) * (out + d);
}
