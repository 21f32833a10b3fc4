/** The integers of inputs: which real numbers can be given, and in which steps. */
import type { ProgramInput } from "../ops/program.js"
import { rankBits } from "../statement/ranks.js"
import type { Range } from "./calibration/calibrate.js"
import { type Grid, leastScale } from "./scales.js"

type WideGrid = Grid & { readonly bits: number }

/**
 * Grid and bits of an input: ranks, the integers of its type or of the model's own rounding, or w bits over what the
 * samples show; `integral` where all samples are integers.
 */
export function gridOfInput(
  { ranks, whole, grid }: Pick<ProgramInput, "ranks" | "whole" | "grid">,
  range: Range,
  precision: number,
  integral: boolean,
): WideGrid {
  if (ranks) return { scale: 1, lo: 0, bits: rankBits(ranks) }
  if (grid) return whole ? grid : covering(grid, range)
  if (whole) return wholeGrid(whole, range, precision)
  return { ...inputGrid(range, precision, integral), bits: precision }
}

/** A model's own grid, extended where samples lie outside: beyond its ends the model's rounding is a clamp. */
function covering(grid: WideGrid, { min, max }: Range): WideGrid {
  const { scale, lo, bits } = grid
  if (min >= (lo - 0.5) * scale && max <= (lo + 2 ** bits - 0.5) * scale) return grid
  const isSigned = min < 0 || lo < 0
  const reach = Math.max(-lo, lo + 2 ** bits, Math.ceil(-min / scale) + 1, Math.ceil(max / scale) + 2)
  const half = Math.ceil(Math.log2(reach))
  if (half > mostInputBits - 1) return grid
  return isSigned ? { scale, lo: -(2 ** half), bits: half + 1 } : { scale, lo: 0, bits: half }
}

/**
 * Grid of an input tensor. Integer-valued samples get a scale that divides one, so integers stay exact;
 * a tensor that is zero on all samples gets scale 1.
 */
function inputGrid(range: Range, precision: number, integral: boolean): Grid {
  const isSigned = range.min < 0
  const top = isSigned ? 2 ** (precision - 1) - 1 : 2 ** precision - 1
  const reach = Math.max(-range.min, range.max)
  const lo = isSigned ? -(2 ** (precision - 1)) : 0
  if (reach === 0) return { scale: 1, lo }
  if (integral && reach <= top) return { scale: 1 / Math.floor(top / reach), lo }
  return { scale: Math.max(reach / top, leastScale), lo }
}

/** Most bits of an integer input. */
const mostInputBits = 32

/**
 * Grid and bits of an input whose element type has no fractions: the integers themselves, in as many limbs of w bits as the
 * samples' ends take. Samples beyond 32 bits are real numbers to us.
 */
function wholeGrid(
  whole: "bits" | "integers",
  range: Range,
  precision: number,
): Grid & { readonly bits: number } {
  if (whole === "bits") return { scale: 1, lo: 0, bits: 1 }
  const isSigned = range.min < 0
  const reach = Math.max(-range.min, range.max) + 1
  for (let bits = precision; bits <= mostInputBits; bits += precision)
    if (reach <= 2 ** (isSigned ? bits - 1 : bits))
      return { scale: 1, lo: isSigned ? -(2 ** (bits - 1)) : 0, bits }
  return { ...inputGrid(range, precision, true), bits: precision }
}
