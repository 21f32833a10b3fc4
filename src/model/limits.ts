/** How large a model file may be before it is refused; every figure can be raised or lowered per import. */
export interface Limits {
  /** Bytes of the file, or of the weights beside it. */
  readonly bytes: number
  readonly nodes: number
  /** Elements of one tensor: constants and graph inputs. */
  readonly elements: number
  /** Elements of all constants together. */
  readonly totalElements: number
  /** Dimensions of one tensor. */
  readonly dimensions: number
  /** Depth of nested messages in the file; at most 100, what the protobuf decoder allows. */
  readonly nesting: number
}

export const limits: Limits = Object.freeze({
  bytes: 2 ** 30,
  nodes: 100_000,
  elements: 2 ** 28,
  totalElements: 2 ** 29,
  dimensions: 16,
  nesting: 100,
})

/** Problems of a shape against the limits; one line each. */
export function checkSize(shape: readonly number[], limits: Limits): string[] {
  if (shape.length > limits.dimensions)
    return [`${shape.length} dimensions, the limit \`dimensions\` is ${limits.dimensions}`]
  // a dimension of 0 leaves no elements, but the others are looped over as well
  const count = shape.reduce((a, b) => a * Math.max(b, 1), 1)
  return count > limits.elements ? [`${count} elements, the limit \`elements\` is ${limits.elements}`] : []
}
