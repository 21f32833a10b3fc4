pragma circom 2.2.0;

/*
 * Chosen: one of m integers, which is the largest if something else shows that it is no less than any. The gadgets of a
 * `below` node do, one for each of them; the planner takes this form where they all are there.
 *
 * @proves     out = in[j] for some j
 * @input      in[m]: assumes integers, m >= 2
 * @output     out: guarantees one of the inputs; the largest, where out - in[j] >= 0 is shown of every j
 * @cost       m - 1
 * @hints      best[j] for 0 < j < m: the rows (best[j] - best[j - 1]) * (best[j] - in[j]) = 0 make each one of the
 *             inputs, the last of which is out. Which one nothing here says
 * @source     selection chain of largest.circom
 */
template Chosen(m) {
    signal input in[m];
    signal output out;
    signal best[m];
    best[0] <== in[0];
    for (var j = 1; j < m; j++) {
        best[j] <-- in[j] - best[j - 1] > 0 ? in[j] : best[j - 1];
        (best[j] - best[j - 1]) * (best[j] - in[j]) === 0;
    }
    out <== best[m - 1];
}
