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
  /** What reading one file may cost in all: numbers held and steps of loops (budget.ts). */
  budget: Object.freeze({ elements: 2 ** 25, work: 2 ** 31 }),
  /** What it may cost besides, for each number that the file holds itself. */
  elementsPerNumber: 16,
  workPerNumber: 4096,
  /** Circuits beyond these are refused before they are built, with the estimate. */
  maxConstraints: 2 ** 20,
  maxNonzeros: 2 ** 26,
  /**
   * A linear result gets wires of its own where that saves this many non-zeros per added row. Linear rows
   * sit on side C, which the prover never multiplies, so only setup and file size feel them.
   */
  nonzerosPerRow: 1024,
  /** Days for which an attestation may be acted on. */
  attestationDays: 30,
})
