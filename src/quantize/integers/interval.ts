/** The least and the largest integer that each element of a tensor can be. */
export interface Interval {
  readonly lo: Float64Array
  readonly hi: Float64Array
}
