pragma circom 2.2.0;
include "range.circom";

/*
 * Quotient: out + lo = round(num / den), to the nearest integer, ties towards plus infinity. 2 * num + den is divided by
 * 2 * den, which rounds without half of den. With R = 2^n, |q| the largest of |lo| and |lo + 2^b|, and D the largest den:
 *
 * @proves     2 * den * (out + lo) = 2 * num + den - rem with 0 <= rem < 2 * den
 * @input      num: assumes |num| < 2^52 as an integer, and that its quotient is in [lo, lo + 2^b)
 * @input      den: assumes 1 <= den as an integer, 2 * den <= 2^n; b, n <= 53 and |lo| < 2^53, so that
 *             2 * D * |q| + 2 * |num| + D + R and 2 * R + 2 * D are less than r / 2
 * @output     out: guarantees floor((2 * num + den) / (2 * den)) - lo, an integer in [0, 2^b)
 * @cost       b + 2 * n + 3 (bit strategy); lookups for b, n and n bits and 1 row
 * @hints      out (rangeOut), which keeps the product below the field; rem (rangeRem) and 2 * den - 1 - rem (rangeTop)
 *             are small integers of a sum less than the field, so both are not negative and 0 <= rem < 2 * den. Then the
 *             row holds for integers, and a division with remainder has one quotient
 * @source     Euclidean division
 */
template Quotient(b, n, lo) {
    signal input num;
    signal input den;
    signal output out;

    // a shift by multiples of den makes the dividend of circom's division no negative one
    var size = 1 << 60;
    signal rem;
    var rounded = (2 * num + den + 2 * den * size) \ (2 * den) - size;
    out <-- rounded - lo;
    rem <-- 2 * num + den - 2 * den * rounded;

    component rangeOut = Range(b);
    rangeOut.in <== out;
    component rangeRem = Range(n);
    rangeRem.in <== rem;
    component rangeTop = Range(n);
    rangeTop.in <== 2 * den - 1 - rem;

    (2 * den) * (out + lo) === 2 * num + den - rem;
}
