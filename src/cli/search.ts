/** `compile --target-accuracy`: what it asks for, and the trade as a table. */
import { showLoss, showMethod } from "../compile/search.js"
import * as api from "../index.js"
import { columns } from "./terminal.js"

/** What `--target-accuracy` says. @throws UsageError */
export function targetLoss(text: string): number {
  const value = Number(text)
  if (/^[0-9]*\.?[0-9]+$/.test(text) && value <= 100) return value
  const expected = "a loss from 0 to 100: percentage points of accuracy, or percent of an output's range"
  throw new api.UsageError({ what: "--target-accuracy", expected, given: `\`${text}\`` })
}

/** What `--calibration` says. @throws UsageError */
export function calibrationMethod(text: string): api.CalibrationMethod {
  if (text === "minmax") return text
  const percentile = Number(text)
  if (/^[0-9]+(\.[0-9]+)?$/.test(text) && percentile > 50 && percentile <= 100) return { percentile }
  const expected = "minmax, or a percentile above 50, as 99.9"
  throw new api.UsageError({ what: "--calibration", expected, given: `\`${text}\`` })
}

type Tried = Pick<api.PrecisionSearch, "measure" | "candidates" | "complete"> & {
  readonly chosen?: api.Candidate
}

/** The trade, a line for each candidate, the chosen one marked. */
export function tradeLines({ measure, candidates, chosen, complete }: Tried): string[] {
  const isAccuracy = measure === "accuracy"
  const share = (x: number | null) => (x === null ? "" : `${(100 * x).toFixed(2)} %`)
  const rows = candidates.map((candidate) => {
    const { precision, calibration, constraints, loss, accuracy, agreement, problem } = candidate
    return [
      candidate === chosen ? "*" : "",
      String(precision),
      showMethod(calibration),
      constraints === null ? "" : constraints.toLocaleString("en"),
      problem ?? showLoss(loss),
      ...(isAccuracy ? [share(accuracy)] : []),
      share(agreement),
    ]
  })
  const head = [
    "",
    "precision",
    "calibration",
    "constraints",
    isAccuracy ? "loss (points)" : "error (% of range)",
    ...(isAccuracy ? ["accuracy"] : []),
    "agreement",
  ]
  const halved =
    "not all were tried: the least precision was found by halving, as if loss fell with precision"
  const widest = Math.max(...rows.map((row) => row[3].length), head[3].length)
  const aligned = [head, ...rows].map((row) => row.map((cell, i) => (i === 3 ? cell.padStart(widest) : cell)))
  return [...columns(aligned, 40), ...(complete ? [] : [halved])]
}

/** On which samples the loss was measured. */
export const measuredLine = ({ calibrating, measured, heldOut }: api.PrecisionSearch): string =>
  heldOut
    ? `calibrated on ${calibrating.length} samples, measured on the other ${measured.length}`
    : `calibrated and measured on the same ${measured.length} samples: with 40 or more, others are held out`
