pragma circom 2.2.0;

/*
 * Membership in a table: in is one of the entries.
 *
 * These templates are the second door of the linker (range.circom is the first): every component of one of
 * them is named `member...` by the gadget that declares it, and is served by one lookup in a table with
 * exactly these entries. What stands here is the definition, which a test compares with the linker's tables.
 *
 * @proves     in is an entry of the table, as a field element
 * @input      in: any field element
 * @output     none
 * @cost       one less than the number of entries (as written); one lookup (linked)
 * @hints      none
 * @source     vanishing product
 */

/* Entries 2^j * t for t in [0, 2^w); 2^j * (2^w - 1) + i for 1 <= i <= x; -i for 1 <= i <= y. */
template SignedTable(w, x, y, j) {
    signal input in;
    var n = (1 << w) + x + y;
    signal product[n];
    product[0] <== in;
    for (var i = 1; i < n; i++) {
        var entry;
        if (i < (1 << w)) {
            entry = (1 << j) * i;
        } else if (i < (1 << w) + x) {
            entry = (1 << j) * ((1 << w) - 1) + i - (1 << w) + 1;
        } else {
            entry = (1 << w) + x - 1 - i;
        }
        product[i] <== product[i - 1] * (in - entry);
    }
    product[n - 1] === 0;
}

/* Entries -i for 1 <= i <= a; 2^j * (2^w - 1) + i for 0 <= i < b. */
template GatedTable(w, a, b, j) {
    signal input in;
    signal product[a + b + 1];
    product[0] <== 1;
    for (var i = 0; i < a + b; i++) {
        var entry;
        if (i < a) {
            entry = -1 - i;
        } else {
            entry = (1 << j) * ((1 << w) - 1) + i - a;
        }
        product[i + 1] <== product[i] * (in - entry);
    }
    product[a + b] === 0;
}

/* Entries t + 2^j * f[t] for 0 <= t < m. */
template FunctionTable(m, j, f) {
    signal input in;
    signal product[m + 1];
    product[0] <== 1;
    for (var t = 0; t < m; t++) {
        product[t + 1] <== product[t] * (in - t - (1 << j) * f[t]);
    }
    product[m] === 0;
}
