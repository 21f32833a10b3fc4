pragma circom 2.2.0;
include "range.circom";

/*
 * Rest: whether a key is one of the largest, of which the least is given, or less than all of them.
 *
 * @proves     mark = 1 and key >= least, or mark = 0 and key < least
 * @input      least, key: assume integers with |least - key| < 2^b, b <= 120
 *             mark: assumes 0 or 1; if c = 1, any field element
 * @output     none; guarantees that mark says which, and with c = 1 that it is 0 or 1
 * @cost       b + 1 + c (bit strategy); lookups for b bits and c rows
 * @hints      none of its own. least - key - 1 + 2^b * mark in [0, 2^b) asks for least > key if mark = 0, and for
 *             key >= least if mark = 1
 * @source     two's complement, as in threshold.circom
 */
template Rest(b, c) {
    signal input least;
    signal input mark;
    signal input key;
    if (c == 1) {
        mark * (mark - 1) === 0;
    }
    component range = Range(b);
    range.in <== least - key - 1 + (1 << b) * mark;
}
