/** What operators pass to each other: constants and activations, with static shapes and element types. */
import type { DataType } from "../../model/graph.js"
import type { Labels } from "../../statement/labels.js"
import type { TensorId } from "../program.js"

/** Numbers known while compiling. */
export interface Constant {
  readonly shape: readonly number[]
  readonly dtype: DataType
  readonly constant: Float64Array
}

/** What a tensor of the program will hold; the tensor may have another shape of equal size. */
export interface Activation {
  readonly shape: readonly number[]
  readonly dtype: DataType
  readonly tensor: TensorId
  /** Every element is an integer for every input, so a cast to an integer type changes nothing. */
  readonly integral: boolean
  /** What its integers or its columns are called; a tensor of strings holds the places of their names. */
  readonly labels?: Labels
}

export type Value = Constant | Activation

export const isConstant = (value: Value): value is Constant => "constant" in value

export const constant = (
  shape: readonly number[],
  data: ArrayLike<number>,
  dtype: DataType = "float32",
): Constant => ({
  shape,
  dtype,
  constant: data instanceof Float64Array ? data : Float64Array.from(data),
})

export const isInteger = (dtype: DataType): boolean => /int|bool/.test(dtype)

/** Whether every element is an integer, whatever the element type. */
export const isIntegral = (value: Value): boolean =>
  isInteger(value.dtype) || (isConstant(value) ? value.constant.every(Number.isInteger) : value.integral)
