pragma circom 2.2.0;
include "range.circom";

/*
 * Excess: out = min(max(floor(acc / 2^k), 0), 2^w - 1), by how far the quotient lies outside the window.
 * With d = floor(acc / 2^k) - out: out = 2^w - 1 forces excess = d >= 0; out = 0 forces excess = -d >= 0; any
 * other out forces d = excess = -excess = 0.
 *
 * @proves     out = clamp(acc >> k, 0, 2^w - 1)
 * @input      acc: any field element; whatever it is, it is proven to be an integer in the window
 *             [-2^(k+e), 2^(k+w) + 2^(k+e)), and only -2^e < d < 2^e can be proven; w >= 1, e >= 1,
 *             k + w + e <= 120
 * @output     out: guarantees an integer in [0, 2^w)
 * @cost       k + w + e + 4 (bit strategy); lookups for k, w and e bits and 2 rows
 * @hints      out (rangeOut); excess (rangeExcess); d, by rangeLo: acc - 2^k * (out + d) in [0, 2^k), and by the
 *             two rows, which make it ±excess or zero, so a small integer
 * @source     the case distinction above
 */
template Excess(k, w, e) {
    signal input acc;
    signal output out;

    var size = w + e;
    var quotient = ((acc + (1 << (k + size))) >> k) - (1 << size);
    var top = (1 << w) - 1;
    signal d, excess;
    out <-- quotient < 0 ? 0 : (quotient > top ? top : quotient);
    d <-- quotient < 0 ? quotient : (quotient > top ? quotient - top : 0);
    excess <-- quotient < 0 ? -quotient : (quotient > top ? quotient - top : 0);

    component rangeOut = Range(w);
    rangeOut.in <== out;
    component rangeExcess = Range(e);
    rangeExcess.in <== excess;
    component rangeLo = Range(k);
    rangeLo.in <== acc - (1 << k) * (out + d);
    (d + excess) * (top - out) === 0;
    (excess - d) * out === 0;
}
