/**
 * Networks that train.mjs trains: their layers, how many pixels a side of a digit are averaged first, whose convolutions they
 * have (of an example; else their own), and how long. Shapes are those of a public comparison of provers on digits of MNIST,
 * whose counts of parameters say what its names leave open: 4,966 and 5,142.
 */
export const trained = {
  "14_5_11_80_10_3": {
    shape: [1, 14, 14],
    shrink: 2,
    steps: [
      ["conv", 5, 3],
      ["relu"],
      ["average"],
      ["conv", 11, 3],
      ["relu"],
      ["average"],
      ["dense", 80],
      ["relu"],
      ["dense", 10],
    ],
    epochs: 40,
    rate: 4e-3,
  },
  "28_6_16_10_5": {
    shape: [1, 28, 28],
    shrink: 1,
    steps: [["conv", 6, 5], ["relu"], ["average"], ["conv", 16, 5], ["relu"], ["average"], ["dense", 10]],
    convolutions: "mnist-lenet",
    epochs: 3,
    rate: 4e-3,
  },
}
