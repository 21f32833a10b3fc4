pragma circom 2.2.0;
include "range.circom";

/*
 * Largest: the largest of m integers, as one of them that none exceeds. Cheaper than Max where a range check
 * of any width costs one row.
 *
 * @proves     out = max_j in[j]
 * @input      in[m]: assumes |in[i] - in[j]| < 2^b as integers, m >= 2, b <= 120
 * @output     out: guarantees one of the inputs, none of which exceeds it
 * @cost       m * (b + 1) + m - 1 (bit strategy); m lookups for b bits and m - 1 rows
 * @hints      best[j] for 0 < j < m: the rows (best[j] - best[j - 1]) * (best[j] - in[j]) = 0 make each one of
 *             the inputs; rangeGap[j] makes the last, out, at least every input
 * @source     selection chain
 */
template Largest(m, b) {
    signal input in[m];
    signal output out;
    signal best[m];
    best[0] <== in[0];
    for (var j = 1; j < m; j++) {
        best[j] <-- in[j] - best[j - 1] > 0 ? in[j] : best[j - 1];
        (best[j] - best[j - 1]) * (best[j] - in[j]) === 0;
    }
    out <== best[m - 1];
    component rangeGap[m];
    for (var j = 0; j < m; j++) {
        rangeGap[j] = Range(b);
        rangeGap[j].in <== out - in[j];
    }
}
