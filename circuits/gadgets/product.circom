pragma circom 2.2.0;

/*
 * Product: out = left * right.
 *
 * @proves     out = left * right
 * @input      left, right: assumes |left * right| < r / 2 as integers, so that the field product is the integer product
 * @output     out
 * @cost       1
 * @hints      none
 * @source     definition
 */
template Product() {
    signal input left;
    signal input right;
    signal output out;
    out <== left * right;
}
