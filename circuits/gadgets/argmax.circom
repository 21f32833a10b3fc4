pragma circom 2.2.0;
include "range.circom";

/*
 * Argmax: the lowest position of the largest of m integers (ONNX ArgMax, select_last_index = 0).
 *
 * @proves     out = min { j : in[j] = max_i in[i] }
 * @input      in[m]: assumes |in[i] - in[j]| < 2^b as integers, m >= 2, b <= 120
 * @output     out: guarantees an integer in [0, m)
 * @cost       m * (b + 3) + 1 (bit strategy)
 * @hints      chosen[j] for j > 0 (boolean rows; chosen[0] is 1 minus their sum, and if two of them were 1 it
 *             would be negative, so top = in[0] and rangeGap[0] would ask in[0] - in[0] - 2 >= 0); top (the rows
 *             chosen[j] * (top - in[j]) = 0 make it the chosen input; rangeGap[j] makes it at least every input,
 *             and strictly more than those before the chosen one)
 * @source     one-hot selection
 */
template Argmax(m, b) {
    signal input in[m];
    signal output out;

    var best = 0;
    for (var j = 1; j < m; j++) {
        var shifted = in[j] - in[best] + (1 << b);
        best = shifted > (1 << b) ? j : best;
    }
    signal chosen[m];
    signal top;
    top <-- in[best];
    var sum = 0;
    var position = 0;
    for (var j = 0; j < m; j++) {
        chosen[j] <-- best == j;
        if (j > 0) {
            chosen[j] * (chosen[j] - 1) === 0;
        }
        chosen[j] * (top - in[j]) === 0;
        sum += chosen[j];
        position += j * chosen[j];
    }
    sum === 1;

    component rangeGap[m];
    var after = 1;
    for (var j = 0; j < m; j++) {
        after -= chosen[j]; // 1 while the chosen position is still ahead
        rangeGap[j] = Range(b);
        rangeGap[j].in <== top - in[j] - after;
    }
    out <== position;
}
