/**
 * Mutations of real files: bytes, and the structure of JSON, of protobuf and of archives, so that what is changed
 * lies behind the first check of a parser. Everything follows from one seeded generator.
 */
import { unzipSync, zipSync } from "fflate"

/** mulberry32, as test/support/random.ts has it; the seed is any text. */
export class Random {
  constructor(seed) {
    let state = 0x811c9dc5
    for (const c of seed) state = Math.imul(state ^ c.charCodeAt(0), 0x01000193)
    this.state = state
  }

  next() {
    this.state = (this.state + 0x6d2b79f5) | 0
    let t = Math.imul(this.state ^ (this.state >>> 15), 1 | this.state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }

  /** Below n. */
  below(n) {
    return Math.floor(this.next() * n)
  }

  pick(items) {
    return items[this.below(items.length)]
  }
}

/** Numbers at which lengths, counts and indices go wrong. */
const numbers = [
  0,
  1,
  2,
  3,
  7,
  64,
  127,
  128,
  255,
  256,
  1000,
  65535,
  65536,
  2 ** 20,
  2 ** 24,
  2 ** 26,
  2 ** 27,
  2 ** 30,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 40,
  2 ** 52,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 62,
  2 ** 63,
  2 ** 64 - 2 ** 11,
]

const concat = (...parts) => Uint8Array.from(Buffer.concat(parts))

function varint(x) {
  const bytes = []
  let rest = BigInt(x)
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0))
    rest >>= 7n
  } while (rest > 0n)
  return Uint8Array.from(bytes)
}

/** @type {((bytes: Uint8Array, random: Random, other: Uint8Array) => Uint8Array)[]} */
const byteMutations = [
  (bytes, random) => {
    const out = bytes.slice()
    for (let i = 0; i <= random.below(4); i++) out[random.below(out.length)] ^= 1 << random.below(8)
    return out
  },
  (bytes, random) => {
    const out = bytes.slice()
    for (let i = 0; i <= random.below(3); i++)
      out[random.below(out.length)] = random.pick([0, 1, 0x7f, 0x80, 0xfe, 0xff])
    return out
  },
  (bytes, random) => bytes.slice(0, random.below(bytes.length)),
  (bytes, random) => {
    const [from, length] = [random.below(bytes.length), 1 + random.below(16)]
    return concat(bytes.subarray(0, from), bytes.subarray(from + length))
  },
  (bytes, random) => {
    const from = random.below(bytes.length)
    const part = bytes.subarray(from, from + 1 + random.below(64))
    const at = random.below(bytes.length)
    return concat(bytes.subarray(0, at), part, bytes.subarray(at))
  },
  (bytes, random) => {
    const at = random.below(bytes.length)
    const noise = Uint8Array.from({ length: 1 + random.below(8) }, () => random.below(256))
    return concat(bytes.subarray(0, at), noise, bytes.subarray(at))
  },
  (bytes, random, other) =>
    concat(bytes.subarray(0, random.below(bytes.length)), other.subarray(random.below(other.length))),
  // a fixed-width number, where a length may be
  (bytes, random) => {
    const out = bytes.slice()
    const width = random.pick([2, 4, 8])
    if (out.length < width) return out
    const near = random.below(2) === 0 ? out.length + random.below(5) - 2 : random.pick(numbers)
    const x = BigInt.asUintN(8 * width, BigInt(Math.max(0, near)))
    const at = random.below(out.length - width + 1)
    for (let i = 0; i < width; i++) out[at + i] = Number((x >> BigInt(8 * i)) & 255n)
    return out
  },
  // a varint, in its place or before it
  (bytes, random) => {
    const at = random.below(bytes.length)
    let end = at
    while (end < bytes.length && bytes[end] >= 128) end++
    return concat(bytes.subarray(0, at), varint(random.pick(numbers)), bytes.subarray(end + random.below(2)))
  },
]

/** Bytes with one to three mutations. */
export function mutateBytes(bytes, random, other) {
  let out = bytes
  for (let i = 0; i <= random.below(3) && out.length > 0; i++)
    out = random.pick(byteMutations)(out, random, other)
  return out
}

/** Fields of a protobuf message, messages within read as such; undefined if the bytes are none. */
function fieldsOf(bytes, depth = 0) {
  const fields = []
  let at = 0
  const read = () => {
    let x = 0n
    for (let shift = 0n; at < bytes.length && shift < 70n; shift += 7n) {
      const byte = bytes[at++]
      x |= BigInt(byte & 127) << shift
      if (byte < 128) return x
    }
    return undefined
  }
  while (at < bytes.length) {
    const tag = read()
    if (tag === undefined || tag >> 3n === 0n) return undefined
    const wire = Number(tag & 7n)
    if (wire === 0) {
      const value = read()
      if (value === undefined) return undefined
      fields.push({ tag, value })
    } else if (wire === 2) {
      const length = read()
      if (length === undefined || length > BigInt(bytes.length - at)) return undefined
      const content = bytes.subarray(at, at + Number(length))
      at += Number(length)
      const inner =
        depth < 8 && content.length > 1 && content.length < 2 ** 16 ? fieldsOf(content, depth + 1) : undefined
      fields.push(inner ? { tag, fields: inner } : { tag, bytes: content })
    } else if (wire === 1 || wire === 5) {
      const width = wire === 1 ? 8 : 4
      if (at + width > bytes.length) return undefined
      fields.push({ tag, fixed: bytes.subarray(at, at + width) })
      at += width
    } else return undefined
  }
  return fields
}

const writeFields = (fields) =>
  concat(
    ...fields.flatMap(({ tag, value, fields: inner, bytes, fixed }) => {
      if (value !== undefined) return [varint(tag), varint(BigInt.asUintN(64, value))]
      if (fixed) return [varint(tag), fixed]
      const content = inner ? writeFields(inner) : bytes
      return [varint(tag), varint(content.length), content]
    }),
  )

/** A protobuf message with fields changed, left out, repeated or exchanged, and lengths that fit. */
export function mutateProtobuf(bytes, random, other) {
  const root = fieldsOf(bytes)
  if (!root) return mutateBytes(bytes, random, other)
  for (let i = 0; i <= random.below(3); i++) {
    const lists = []
    const collect = (fields) => {
      lists.push(fields)
      for (const { fields: inner } of fields) if (inner) collect(inner)
    }
    collect(root)
    const list = random.pick(lists.filter((fields) => fields.length > 0))
    if (!list) break
    const at = random.below(list.length)
    const field = list[at]
    const action = random.below(6)
    if (action === 0) list.splice(at, 1)
    else if (action === 1) list.splice(at, 0, structuredClone(field))
    else if (action === 2) list.splice(at, 1, structuredClone(random.pick(random.pick(lists)) ?? field))
    else if (field.value !== undefined) {
      const x = BigInt(random.pick(numbers))
      list[at] = { ...field, value: random.pick([x, -x, field.value + 1n, field.value * 2n]) }
    } else if (field.bytes) list[at] = { ...field, bytes: mutateBytes(field.bytes, random, field.bytes) }
    else if (field.fixed) list[at] = { ...field, fixed: field.fixed.map(() => random.below(256)) }
    else list[at] = { ...field, tag: field.tag + BigInt(8 * (random.below(5) - 2)) }
    if (list[at] && list[at].tag <= 0n) list[at] = { ...list[at], tag: 10n }
  }
  return writeFields(root)
}

const nested = (depth) => JSON.parse("[".repeat(depth) + "]".repeat(depth))
const names = [
  "__proto__",
  "constructor",
  "toString",
  "hasOwnProperty",
  "length",
  "",
  "version",
  "a\u0000b",
  "\ud800",
]

const strange = [
  () => null,
  () => true,
  () => 0,
  () => -1,
  () => -0,
  () => 0.5,
  () => "",
  () => "x",
  () => "-1",
  () => `0x${"f".repeat(64)}`,
  () => "9".repeat(100),
  () => "é\u0000\u2028",
  () => "ab".repeat(50_000),
  () => [],
  () => ({}),
  () => nested(30),
  () => nested(300),
  () => new Array(20_000).fill(0),
  () => [[], [[]], {}],
  () => ({ __proto__: null, length: 5 }),
  (random) => random.pick(numbers),
  (random) => -random.pick(numbers),
  (random) => String(random.pick(numbers)),
]

/** Every place of a JSON value: what holds it and under which name. */
function placesOf(root) {
  const places = []
  const visit = (holder, name) => {
    places.push([holder, name])
    const value = holder[name]
    if (value !== null && typeof value === "object")
      for (const child of Object.keys(value)) visit(value, child)
  }
  visit(root, "root")
  return places
}

function tweak(value, random) {
  if (typeof value === "number")
    return random.pick([value + 1, value - 1, -value, value * 2, value * 2 ** 32, value / 3, 1e308, 5e-324])
  if (typeof value !== "string") return random.pick(strange)(random)
  const at = random.below(value.length + 1)
  const cut = [value.slice(0, at), value.slice(at + 1)]
  return random.pick([
    cut.join(random.pick(["", "0", "-", "f", "\\", " ", "\n", "[", "999999999999"])),
    value.slice(0, at),
    value + value,
    value.toUpperCase(),
    ` ${value}`,
    `+${value}`,
  ])
}

/** A list of a file of mutations of a value's tree. */
const treeMutations = [
  (places, random) => {
    const [holder, name] = random.pick(places)
    holder[name] = random.pick(strange)(random)
  },
  (places, random) => {
    const [holder, name] = random.pick(places)
    holder[name] = tweak(holder[name], random)
  },
  (places, random) => {
    const leaves = places.filter(([holder, name]) => typeof holder[name] !== "object")
    const [holder, name] = random.pick(leaves.length > 0 ? leaves : places)
    holder[name] = tweak(holder[name], random)
  },
  (places, random) => {
    const [holder, name] = random.pick(places)
    if (Array.isArray(holder)) holder.splice(Number(name), 1)
    else delete holder[name]
  },
  (places, random) => {
    const [[a, x], [b, y]] = [random.pick(places), random.pick(places)]
    // by way of text, since one may hold the other
    const [first, second] = [a[x], b[y]].map((value) => JSON.stringify(value) ?? "null")
    a[x] = JSON.parse(second)
    b[y] = JSON.parse(first)
  },
  (places, random) => {
    const [holder, name] = random.pick(places)
    if (Array.isArray(holder)) for (let i = 0; i < random.pick([1, 3, 5000]); i++) holder.push(holder[name])
    else
      Object.defineProperty(holder, random.pick(names), {
        value: holder[name],
        enumerable: true,
        configurable: true,
        writable: true,
      })
  },
]

const textMutations = [
  // a name twice
  (text, random) => {
    const found = [...text.matchAll(/"(?:[^"\\]|\\.)*"\s*:/g)]
    if (found.length === 0) return text
    const { 0: name, index } = random.pick(found)
    const value = random.pick(["1", "null", '"x"', "[]", "{}"])
    return `${text.slice(0, index)}${name}${value},${text.slice(index)}`
  },
  (text, random) =>
    text.replace(/\d+(\.\d+)?/g, (x) =>
      random.below(40) === 0
        ? random.pick(["1e400", "-1e400", "1E2", "007", "0x10", "-0", "1.0", "9".repeat(400)])
        : x,
    ),
  (text, random) =>
    `${text.slice(0, random.below(text.length))}${random.pick(["{", "[", '"', "\\", ",", "]", "}", "\u0000", "\ufeff"])}${text}`,
  (text, random) => {
    const at = random.below(text.length)
    return text.slice(0, at) + "[".repeat(random.pick([1, 70, 100_000])) + text.slice(at)
  },
  (text) => `\ufeff${text}`,
  (text, random) => text.replace(/[{[,]/g, (c) => c + " ".repeat(random.below(3) === 0 ? 20 : 0)),
]

/** JSON text with its value or its spelling changed. */
export function mutateJson(bytes, random, other) {
  const text = new TextDecoder().decode(bytes)
  const way = random.below(10)
  if (way === 0) return mutateBytes(bytes, random, other)
  let out = text
  if (way < 8) {
    const root = { root: JSON.parse(text) }
    for (let i = 0; i <= random.below(3); i++) random.pick(treeMutations)(placesOf(root), random)
    try {
      out = JSON.stringify(root.root) ?? ""
    } catch {
      // an exchange made a value part of itself
      out = text
    }
  }
  if (way >= 6) out = random.pick(textMutations)(out, random)
  return new TextEncoder().encode(out)
}

/** An archive with an entry changed and made again, or with its own bytes changed, mostly in its headers. */
export function mutateZip(bytes, random, other) {
  if (random.below(2) === 0) {
    const entries = unzipSync(bytes)
    const name = random.pick(Object.keys(entries))
    const content = entries[name]
    const way = random.below(4)
    if (way === 0) delete entries[name]
    else if (way === 1) entries[random.pick([...names, `${name}.npy`, "../x.npy", "labels.npy"])] = content
    else if (way === 2) entries[name] = mutateBytes(content, random, content)
    else {
      // the header of an array is text
      const text = Buffer.from(content).toString("latin1")
      const changed = text.replace(/\d+(?=[,)])/g, (x) =>
        random.below(2) === 0 ? String(random.pick(numbers)) : x,
      )
      entries[name] = Uint8Array.from(Buffer.from(changed, "latin1"))
    }
    return zipSync(entries, { level: random.pick([0, 6]) })
  }
  const out = bytes.slice()
  const headers = []
  for (let i = 0; i + 4 < out.length; i++)
    if (out[i] === 0x50 && out[i + 1] === 0x4b && out[i + 2] < 9) headers.push(i)
  if (headers.length === 0 || random.below(4) === 0) return mutateBytes(bytes, random, other)
  for (let i = 0; i <= random.below(3); i++) {
    const at = random.pick(headers) + 4 + random.below(42)
    const x = random.pick(numbers)
    for (let k = 0; k < random.pick([1, 2, 4]); k++)
      if (at + k < out.length) out[at + k] = Math.floor(x / 256 ** k) % 256
  }
  return out
}
