pragma circom 2.2.0;
include "range.circom";
include "table.circom";

/*
 * BelowTable: out = f[floor((max - in) / 2^k)], where there is no lookup argument.
 *
 * @proves     out = f[(max - in) >> k], and max >= in
 * @input      max, in: assume integers with 0 <= max - in < 2^(k+n) for an honest max; f: 2^n integers below 2^40 in
 *             magnitude; 2 <= n <= 16, k <= 52
 * @output     out: guarantees f[(max - in) >> k], and that max - in is not negative
 * @cost       k + 2^l + 2^h + h for h = floor(n / 2), l = n - h (bit strategy)
 * @hints      steps, by rangeLo and the table's own bits: max - in = lo + 2^k * steps with lo in [0, 2^k) and steps in
 *             [0, 2^n), all small integers
 * @source     truncate.circom and table.circom
 */
template BelowTable(k, n, f) {
    signal input max;
    signal input in;
    signal output out;

    signal steps;
    steps <-- (max - in) >> k;
    component rangeLo = Range(k);
    rangeLo.in <== max - in - (1 << k) * steps;
    component table = Table(n, f);
    table.in <== steps;
    out <== table.out;
}
