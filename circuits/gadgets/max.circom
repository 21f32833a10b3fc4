pragma circom 2.2.0;
include "range.circom";

/*
 * Max: the largest of m integers, as a chain of m - 1 pairwise maxima.
 * With d = x - best: d = low - 2^b * less, so less = 1 exactly when d < 0, and max(x, best) = best + (1 - less) * d.
 *
 * @proves     out = max_j in[j]
 * @input      in[m]: assumes |in[i] - in[j]| < 2^b as integers, m >= 2, b <= 120
 * @output     out: guarantees one of the inputs, none of which exceeds it
 * @cost       (m - 1) * (b + 3) (bit strategy)
 * @hints      low[j] (rangeLow[j]), less[j] (boolean row), both by the difference row
 * @source     two's complement
 */
template Max(m, b) {
    signal input in[m];
    signal output out;

    signal best[m];
    signal low[m - 1];
    signal less[m - 1];
    component rangeLow[m - 1];
    best[0] <== in[0];
    for (var j = 0; j < m - 1; j++) {
        var shifted = in[j + 1] - best[j] + (1 << b);
        less[j] <-- 1 - (shifted >> b);
        low[j] <-- shifted & ((1 << b) - 1);
        rangeLow[j] = Range(b);
        rangeLow[j].in <== low[j];
        less[j] * (less[j] - 1) === 0;
        in[j + 1] - best[j] === low[j] - (1 << b) * less[j];
        best[j + 1] <== best[j] + (1 - less[j]) * (in[j + 1] - best[j]);
    }
    out <== best[m - 1];
}
