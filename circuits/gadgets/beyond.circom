pragma circom 2.2.0;
include "range.circom";

/*
 * Beyond: one key is larger than the next in a list of falling keys.
 *
 * @proves     above > below
 * @input      above, below: assume integers with |above - below| <= 2^b, b <= 120
 * @output     none; guarantees above - below is an integer from 1 to 2^b
 * @cost       b + 1 (bit strategy); lookups for b bits and no row
 * @hints      none of its own
 * @source     range.circom
 */
template Beyond(b) {
    signal input above;
    signal input below;
    component range = Range(b);
    range.in <== above - below - 1;
}
