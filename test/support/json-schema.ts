/** As much of JSON Schema (2020-12) as our schemas use; a keyword that it does not know is an error. */
type Schema = Record<string, unknown>

const typeOf = (value: unknown): string[] => {
  if (value === null) return ["null"]
  if (Array.isArray(value)) return ["array"]
  if (typeof value === "number") return Number.isInteger(value) ? ["number", "integer"] : ["number"]
  return [typeof value]
}

export function conforms(value: unknown, schema: Schema, root: Schema = schema): boolean {
  const inner = (x: unknown, part: unknown) => conforms(x, part as Schema, root)
  const isRecord = typeof value === "object" && value !== null && !Array.isArray(value)
  const members = isRecord ? Object.entries(value as object) : []
  const rules: Record<string, (given: never) => boolean> = {
    $ref: (name: string) => inner(value, (root.$defs as Schema)[name.replace("#/$defs/", "")]),
    type: (types: string | string[]) => typeOf(value).some((type) => [types].flat().includes(type)),
    const: (constant: unknown) => value === constant,
    enum: (choices: unknown[]) => choices.includes(value),
    anyOf: (schemas: Schema[]) => schemas.some((part) => inner(value, part)),
    required: (names: string[]) => !isRecord || names.every((name) => Object.hasOwn(value as object, name)),
    properties: (parts: Schema) =>
      members.every(([name, x]) => !Object.hasOwn(parts, name) || inner(x, parts[name])),
    additionalProperties: () => members.every(([name]) => Object.hasOwn(schema.properties as Schema, name)),
    items: (part: Schema) => !Array.isArray(value) || value.every((x) => inner(x, part)),
    minItems: (least: number) => !Array.isArray(value) || value.length >= least,
    maxItems: (most: number) => !Array.isArray(value) || value.length <= most,
    uniqueItems: () =>
      !Array.isArray(value) || new Set(value.map((x) => JSON.stringify(x))).size === value.length,
    minimum: (least: number) => typeof value !== "number" || value >= least,
    maximum: (most: number) => typeof value !== "number" || value <= most,
    minLength: (least: number) => typeof value !== "string" || [...value].length >= least,
    maxLength: (most: number) => typeof value !== "string" || [...value].length <= most,
    pattern: (text: string) => typeof value !== "string" || new RegExp(text, "u").test(value),
  }
  const silent = ["$schema", "$defs", "title", "description"]
  return Object.entries(schema).every(([keyword, given]) => {
    if (silent.includes(keyword)) return true
    if (!Object.hasOwn(rules, keyword)) throw new Error(`keyword ${keyword} is not known here`)
    return rules[keyword](given as never)
  })
}
