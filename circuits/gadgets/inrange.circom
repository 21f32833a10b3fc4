pragma circom 2.2.0;
include "range.circom";

/*
 * InRange: a model input is an integer of n bits.
 *
 * @proves     0 <= in < 2^n
 * @input      in: any field element; assumes n <= 252
 * @output     none; guarantees in is the residue of an integer in [0, 2^n)
 * @cost       n + 1 (bit strategy)
 * @hints      none of its own
 * @source     range.circom
 */
template InRange(n) {
    signal input in;
    component range = Range(n);
    range.in <== in;
}
