pragma circom 2.2.0;

/*
 * Table: out = f[in], a function given by all its values, where there is no lookup argument.
 * The bits of `in` select an entry in two steps. For each value of the high h = floor(n/2) bits, the entries
 * that are left are a polynomial in the l = n - h low bits, that is, a linear combination of the products of
 * subsets of them, which all share; its coefficients are alternating sums of at most 2^l entries. A binary
 * tree of 2^h - 1 choices, one product each, then picks the polynomial that the high bits name.
 *
 * @proves     out = f[in]
 * @input      in: any field element; f: 2^n integers below 2^40 in magnitude; assumes 2 <= n <= 16
 * @output     out: guarantees f[in], and that in is the residue of an integer in [0, 2^n)
 * @cost       2^l + 2^h + h - 1, counting: n boolean rows, 1 recomposition, 2^l - l - 1 products, 2^h - 1 choices
 *             (bit strategy)
 * @hints      bit[i] (boolean rows and the recomposition, as in range.circom)
 * @source     multilinear extension by Moebius inversion on the low bits, a multiplexer on the high ones
 */
template Table(n, f) {
    signal input in;
    signal output out;
    var h = n \ 2;
    var l = n - h;

    signal bit[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        bit[i] <-- (in >> i) & 1;
        bit[i] * (bit[i] - 1) === 0;
        sum += bit[i] * (1 << i);
    }
    in === sum;

    // monomial[s] is the product of the low bits in the set s
    signal product[1 << l];
    var monomial[1 << l];
    monomial[0] = 1;
    for (var i = 0; i < l; i++) {
        monomial[1 << i] = bit[i];
        for (var s = 1; s < (1 << i); s++) {
            product[s + (1 << i)] <== monomial[s] * bit[i];
            monomial[s + (1 << i)] = product[s + (1 << i)];
        }
    }

    // Moebius inversion on the low bits: f[j + s] = sum of the coefficients of all subsets of s
    var coefficient[1 << n] = f;
    for (var i = 0; i < l; i++) {
        for (var j = 0; j < (1 << n); j++) {
            if ((j >> i) & 1) {
                coefficient[j] -= coefficient[j - (1 << i)];
            }
        }
    }
    var selected[1 << h];
    for (var j = 0; j < (1 << h); j++) {
        selected[j] = 0;
        for (var s = 0; s < (1 << l); s++) {
            selected[j] += coefficient[(j << l) + s] * monomial[s];
        }
    }

    // choice[1] is the root of the tree, the children of choice[j] are 2j and 2j + 1
    signal choice[1 << h];
    for (var level = h - 1; level >= 0; level--) {
        for (var j = 0; j < (1 << level); j++) {
            choice[(1 << level) + j] <== (selected[2 * j + 1] - selected[2 * j]) * bit[n - 1 - level] + selected[2 * j];
            selected[j] = choice[(1 << level) + j];
        }
    }
    out <== choice[1];
}
