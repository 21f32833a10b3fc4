pragma circom 2.2.0;
include "range.circom";

/*
 * Position: the lowest position of the largest of m integers, as Argmax has it, for long lists: a row of Argmax has
 * up to m terms, one of Position few, because what is hinted for j says whether the position is still ahead.
 *
 * @proves     out = min { j : in[j] = max_i in[i] }
 * @input      in[m]: assumes |in[i] - in[j]| < 2^b as integers, m >= 3, b <= 120
 * @output     out: guarantees an integer in [0, m)
 * @cost       m * (b + 3) (bit strategy)
 * @hints      ahead[j]: 1 while the position is behind j. Let chosen[j] = ahead[j - 1] - ahead[j], with 1 before the
 *             first and 0 as the last, so that their sum is 1. chosen[j] is boolean for j > 0 (a row); so chosen[0] is
 *             1 minus the number k of others that are 1, and if k were 2 or more, it would be negative, the product
 *             row would make top = in[0], and rangeGap[0] would ask in[0] - in[0] - ahead[0] = -k >= 0.
 *             top (the rows chosen[j] * (top - in[j]) = 0 make it the chosen input; rangeGap[j] makes it at least
 *             every input, and strictly more than those before the chosen one)
 * @source     one-hot selection, in sums
 */
template Position(m, b) {
    signal input in[m];
    signal output out;

    var best = 0;
    for (var j = 1; j < m; j++) {
        var shifted = in[j] - in[best] + (1 << b);
        best = shifted > (1 << b) ? j : best;
    }
    signal ahead[m - 1];
    signal top;
    top <-- in[best];
    component rangeGap[m];
    var position = 0;
    for (var j = 0; j < m; j++) {
        if (j < m - 1) {
            ahead[j] <-- best > j;
        }
        var before = j > 0 ? ahead[j - 1] : 1;
        var after = j < m - 1 ? ahead[j] : 0;
        if (j > 0) {
            (before - after) * (before - after - 1) === 0;
        }
        (before - after) * (top - in[j]) === 0;
        rangeGap[j] = Range(b);
        rangeGap[j].in <== top - in[j] - after;
        position += after;
    }
    out <== position;
}
