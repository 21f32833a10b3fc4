/** Every default of the library, in one place: documentation, command line and code read them here. */
export const defaults = Object.freeze({
  /** w: bits of an activation, of a table index and of a shift. */
  precision: 10,
  /** Largest and smallest accepted precision. */
  minPrecision: 6,
  maxPrecision: 14,
  /**
   * Calibrations that a search for the least precision tries: all that samples show, or the percentiles of it at either
   * end, which leave more steps for the rest.
   */
  calibrations: Object.freeze(["minmax", 99.99, 99.9] as const),
  /** Multiplications that such a search may take in order to try everything. */
  searchWork: 2 ** 34,
  /** Limits on sample and input files. */
  maxSampleBytes: 2 ** 30,
  maxSamples: 100_000,
  /** What reading one file may cost in all: numbers held and steps of loops (budget.ts). */
  budget: Object.freeze({ elements: 2 ** 25, work: 2 ** 31 }),
  /** What it may cost besides, for each number that the file holds itself. */
  elementsPerNumber: 16,
  workPerNumber: 4096,
  /** Bytes that linking a circuit may take; one that would take more is refused before it is built, with the estimate. */
  maxMemory: 2 ** 32,
  /**
   * A linear result gets wires of its own where that saves this many non-zeros per added row. Linear rows
   * sit on side C, which the prover never multiplies, so only setup and file size feel them.
   */
  nonzerosPerRow: 1024,
  /** Days for which an attestation may be acted on. */
  attestationDays: 30,
})
