pragma circom 2.2.0;

/*
 * Range: 0 <= in < 2^n.
 *
 * This is the one door for range checks. Every component of this template is named `range...` by the
 * gadget that declares it; the linker recognises it by that name and may serve the request by another
 * strategy. As written here it is the bit strategy.
 *
 * @proves     in = sum_i bits[i] * 2^i with bits[i] in {0,1}
 * @input      in: any field element; assumes n <= 252, so that the sum cannot wrap
 * @output     none; guarantees in is the residue of an integer in [0, 2^n)
 * @cost       n + 1
 * @hints      bits[i] (pinned by the boolean rows and the recomposition)
 * @source     standard binary decomposition
 */
template Range(n) {
    signal input in;
    signal bits[n];
    var sum = 0;
    for (var i = 0; i < n; i++) {
        bits[i] <-- (in >> i) & 1;
        bits[i] * (bits[i] - 1) === 0;
        sum += bits[i] * (1 << i);
    }
    in === sum;
}
