pragma circom 2.2.0;
include "range.circom";

/*
 * Root: out = floor(sqrt(square)).
 *
 * @proves     out^2 = square - rem with 0 <= rem <= 2 * out
 * @input      square: assumes 0 <= square < 2^52 as an integer, whose root's floor is at most (2^n - 1) / 2; n <= 53, so
 *             that (2^n + 2^n)^2 + 4 * square < r
 * @output     out: guarantees floor(sqrt(square)), an integer of which 2 * out < 2^n
 * @cost       2 * n + 2 (bit strategy); lookups for n and n bits and 1 row
 * @hints      rem (rangeRem) and out, by 2 * out - rem (rangeTop): with both in [0, 2^n), 2 * out is their sum x as a field
 *             element, so 4 * out^2 = x^2 = 4 * (square - rem) holds for integers, because both sides are less than the
 *             field. So x is even, out = x / 2 is a small integer, and rem and 2 * out - rem are not negative: out^2 <=
 *             square < (out + 1)^2. out needs no check of its own
 * @source     the argument above
 */
template Root(n) {
    signal input square;
    signal output out;

    var low = 0;
    for (var bit = 1 << 26; bit > 0; bit = bit >> 1) {
        if ((low + bit) * (low + bit) <= square) {
            low += bit;
        }
    }
    signal rem;
    out <-- low;
    rem <-- square - low * low;

    component rangeRem = Range(n);
    rangeRem.in <== rem;
    component rangeTop = Range(n);
    rangeTop.in <== 2 * out - rem;

    out * out === square - rem;
}
