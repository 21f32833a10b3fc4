pragma circom 2.2.0;

/*
 * Among: a number is one of m others. Where there is a challenge, lookups among the others say the same of many numbers.
 *
 * @proves     value = in[j] for some j
 * @input      in[m], value: any field elements; m >= 2
 * @output     none; guarantees that value is one of the inputs
 * @cost       m
 * @hints      found[j]: whether value is among the first j + 1. The row (found[j] - found[j - 1]) * (value - in[j]) = 0,
 *             with 0 before the first and 1 as the last, lets it change only where value is the input: from 0 to 1 it has
 *             to change somewhere
 * @source     selection chain, as in position.circom
 */
template Among(m) {
    signal input value;
    signal input in[m];
    signal found[m - 1];
    for (var j = 0; j < m; j++) {
        if (j < m - 1) {
            found[j] <-- j > 0 ? (found[j - 1] == 1 || value == in[j] ? 1 : 0) : (value == in[j] ? 1 : 0);
        }
        var before = j > 0 ? found[j - 1] : 0;
        var after = j < m - 1 ? found[j] : 1;
        (after - before) * (value - in[j]) === 0;
    }
}
