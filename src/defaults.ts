/** Every default of the library, in one place: documentation, command line and code read them here. */
export const defaults = Object.freeze({
  /** w: bits of an activation, of a table index and of a shift. */
  precision: 10,
  /** Largest and smallest accepted precision. */
  minPrecision: 6,
  maxPrecision: 14,
  /** Limits on sample and input files. */
  maxSampleBytes: 2 ** 30,
  maxSamples: 100_000,
})
