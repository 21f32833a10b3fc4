pragma circom 2.2.0;
include "range.circom";

/*
 * Clamp: out = min(max(floor(acc / 2^k), 0), 2^w - 1), for accumulators that may leave the window on both
 * sides. With quotient = floor(acc / 2^k), exactly one of three cases holds:
 *   inside   (negative = 0, inside = 1): quotient = low,                      high = 0
 *   above    (negative = 0, inside = 0): quotient = low + 2^w * (high + 1)    >= 2^w
 *   negative (negative = 1, inside = 0): quotient = low + 2^w * high - 2^(w+t) < 0
 * The three ranges are disjoint and cover [-2^(w+t), 2^w + 2^(w+t)), so the case is a function of acc.
 *
 * @proves     out = clamp(acc >> k, 0, 2^w - 1)
 * @input      acc: assumes -2^(k+w+t) <= acc < 2^(k+w+t) as an integer, w >= 1, t >= 1, k+w+t <= 120
 * @output     out: guarantees an integer in [0, 2^w)
 * @cost       k + w + t + 5 (bit strategy)
 * @hints      lo (rangeLo), low (rangeLow), high (rangeHigh), negative and inside (boolean rows; the
 *             row inside * (high + 2^t * negative) = 0 makes the cases exclusive); all of them by the
 *             decomposition row, which has no other solution because both sides are small integers
 * @source     the three-case argument above
 */
template Clamp(k, w, t) {
    signal input acc;
    signal output out;

    var shifted = acc + (1 << (k + w + t));
    var quotient = (shifted >> k) - (1 << (w + t));
    var isNegative = 1 - (shifted >> (k + w + t));
    var isInside = (1 - isNegative) * (quotient < (1 << w));
    var rest = quotient + isNegative * (1 << (w + t)) - (1 - isNegative - isInside) * (1 << w);

    signal lo, low, high, negative, inside;
    lo <-- shifted & ((1 << k) - 1);
    negative <-- isNegative;
    inside <-- isInside;
    low <-- rest & ((1 << w) - 1);
    high <-- rest >> w;

    component rangeLo = Range(k);
    rangeLo.in <== lo;
    component rangeLow = Range(w);
    rangeLow.in <== low;
    component rangeHigh = Range(t);
    rangeHigh.in <== high;

    negative * (negative - 1) === 0;
    inside * (inside - 1) === 0;
    inside * (high + (1 << t) * negative) === 0;

    var above = 1 - inside - negative;
    acc === lo + (1 << k) * (low + (1 << w) * (high + above) - (1 << (w + t)) * negative);
    out <== inside * low + ((1 << w) - 1) * above;
}
