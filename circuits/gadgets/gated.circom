pragma circom 2.2.0;
include "range.circom";
include "member.circom";

/*
 * Gated: out = min(max(floor(acc / 2^k), 0), 2^w - 1). With d = floor(acc / 2^k) - out = low + 2^n * step,
 * 0 <= low < 2^n: where d is not zero, gate = out, and the table ties gate to the sign of step, which is that
 * of d.
 *
 * @proves     out = clamp(acc >> k, 0, 2^w - 1)
 * @input      acc: assumes an integer with |acc| <= M, M < 2^52, where
 *             2^(k+n+j) > M + 2^k * (2^w + 2^n) + 2^(k+n) * max(a, b); and -a * 2^n <= d < b * 2^n
 * @output     out: guarantees an integer in [0, 2^w)
 * @cost       lookups for k, w and n bits, one in GatedTable(w, a, b, j), and 1 row
 * @hints      out (rangeOut); low (rangeLow); d, by rangeLo: acc - 2^k * (out + d) in [0, 2^k); gate, by the row
 *             d * (out - gate) = 0; step, by its linear row. If d = 0, out is the quotient. If not, gate = out is a small integer, and
 *             memberStep says acc - lo - 2^k * (out + low) - 2^(k+n) * i = 2^(k+n+j) * (g - out) for an
 *             entry (i, g): both sides are small integers and the left one is less than 2^(k+n+j), so g = out,
 *             d = low + 2^n * i, and g = 2^w - 1 exactly when i >= 0
 * @source     the argument above
 */
template Gated(k, w, n, a, b, j) {
    signal input acc;
    signal output out;

    var size = 60;
    var quotient = ((acc + (1 << (k + size))) >> k) - (1 << size);
    var top = (1 << w) - 1;
    var distance = quotient < 0 ? quotient : (quotient > top ? quotient - top : 0);
    var steps = ((distance + (1 << size)) >> n) - (1 << (size - n));
    signal d, low, gate, step;
    out <-- quotient < 0 ? 0 : (quotient > top ? top : quotient);
    d <-- distance;
    low <-- distance - (1 << n) * steps;
    gate <-- steps < 0 ? 0 : top;
    step <-- steps + (1 << j) * gate;

    component rangeOut = Range(w);
    rangeOut.in <== out;
    component rangeLow = Range(n);
    rangeLow.in <== low;
    component rangeLo = Range(k);
    rangeLo.in <== acc - (1 << k) * (out + d);
    component memberStep = GatedTable(w, a, b, j);
    memberStep.in <== step;
    (1 << n) * step === d - low + (1 << (n + j)) * gate;
    d * (out - gate) === 0;
}
