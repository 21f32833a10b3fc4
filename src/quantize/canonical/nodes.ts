/**
 * Nodes of an integer model in canonical bytes: kind u8, out, origin name, origin operator, then by kind
 *
 *     0 input    name
 *     1 index    sources list, fill int, map deltas
 *     2 linear   count of terms, per term: source, map; bias flag u8, bias ints
 *     3 max      source, window, map deltas
 *     4 argmax   source, window, last u8, map deltas
 *     5 product  left, right
 *     6 rescale  source, shift, lo int, bits
 *     7 table    source, lo int, values deltas
 *     8 quotient numerator, denominator
 *     9 isqrt    source
 *     10 contraction  left, right, batch, m, k, n
 *     11 below   source, maximum, owner deltas, shift, values deltas
 *     12 sort    source, window, count, map deltas
 *     13 rows    source, lo int, width, values ints
 *
 * A linear map is kind u8: 0 dense n k m; 1 conv n groups inChannels outChannels and five lists inSize kernel outSize
 * strides padsBegin(int) dilations; 2 sparse row lengths, column deltas; then its weights, ints.
 *
 * In version 5, which only models with private weights have, a linear node ends in a flag u8, 1 if it has secrets; then the
 * tensor of the program that it is made of, for each term a flag u8, after 1 its range: lo int, bits; and a flag u8, after 1
 * the range of its biases, their count and inner. Secret weights and biases are not there: a map of them has none.
 */
import type { IntNode, LinearMap, Origin, Secret, TensorId, Window } from "../../ops/program.js"
import { isSecret } from "../integers/secrets.js"
import type { ByteReader, ByteWriter } from "./bytes.js"

/** What every node has; `kind` is in its number. */
interface Common {
  readonly out: TensorId
  readonly origin: Origin
}

/** The fields of one kind of node in bytes. */
interface NodeCodec<N extends IntNode> {
  /** In the file for this kind. */
  readonly number: number
  /** The least version of the format that has it: a new kind gets a new one, and changes no digest of other models. */
  readonly since: number
  write(w: ByteWriter, node: N, version: number): void
  read(r: ByteReader, common: Common, version: number): N
}

/** The version that has secrets, and nothing else has. */
export const secretsSince = 5

const codecs: { readonly [K in IntNode["kind"]]: NodeCodec<Extract<IntNode, { readonly kind: K }>> } = {
  input: {
    number: 0,
    since: 1,
    write: (w, node) => w.text(node.name),
    read: (r, common) => ({ kind: "input", ...common, name: r.text() }),
  },
  index: {
    number: 1,
    since: 1,
    write(w, node) {
      w.uints(node.sources)
      w.int(node.fill)
      w.deltas(node.map)
    },
    read: (r, common) => ({
      kind: "index",
      ...common,
      sources: r.uints(),
      fill: r.int(),
      map: readIndices(r),
    }),
  },
  linear: {
    number: 2,
    since: 1,
    write(w, node, version) {
      w.uint(node.terms.length)
      for (const { source, map } of node.terms) {
        w.uint(source)
        writeMap(w, map)
      }
      w.byte(node.bias ? 1 : 0)
      if (node.bias) w.ints(node.bias)
      if (version >= secretsSince) writeSecret(w, node.secret)
    },
    read(r, common, version) {
      const terms = r.list(() => ({ source: r.uint(), map: readMap(r) }))
      const bias = r.flag() ? r.ints() : undefined
      const secret = version >= secretsSince ? readSecret(r, terms.length) : undefined
      return { kind: "linear", ...common, terms, ...(bias && { bias }), ...(secret && { secret }) }
    },
  },
  max: {
    number: 3,
    since: 1,
    write(w, node) {
      w.uint(node.source)
      w.uint(node.window)
      w.deltas(node.map)
    },
    read: (r, common) => ({
      kind: "max",
      ...common,
      source: r.uint(),
      window: r.uint(),
      map: readIndices(r),
    }),
  },
  argmax: {
    number: 4,
    since: 1,
    write(w, node) {
      w.uint(node.source)
      w.uint(node.window)
      w.byte(node.last ? 1 : 0)
      w.deltas(node.map)
    },
    read: (r, common) => ({
      kind: "argmax",
      ...common,
      source: r.uint(),
      window: r.uint(),
      last: r.flag(),
      map: readIndices(r),
    }),
  },
  product: {
    number: 5,
    since: 1,
    write(w, node) {
      w.uint(node.left)
      w.uint(node.right)
    },
    read: (r, common) => ({ kind: "product", ...common, left: r.uint(), right: r.uint() }),
  },
  rescale: {
    number: 6,
    since: 1,
    write(w, node) {
      w.uint(node.source)
      w.uint(node.shift)
      w.int(node.lo)
      w.uint(node.bits)
    },
    read: (r, common) => ({
      kind: "rescale",
      ...common,
      source: r.uint(),
      shift: r.uint(),
      lo: r.int(),
      bits: r.uint(),
    }),
  },
  table: {
    number: 7,
    since: 2,
    write(w, node) {
      w.uint(node.source)
      w.int(node.lo)
      w.deltas(node.values)
    },
    read: (r, common) => ({ kind: "table", ...common, source: r.uint(), lo: r.int(), values: r.deltas() }),
  },
  quotient: {
    number: 8,
    since: 3,
    write(w, node) {
      w.uint(node.numerator)
      w.uint(node.denominator)
    },
    read: (r, common) => ({ kind: "quotient", ...common, numerator: r.uint(), denominator: r.uint() }),
  },
  isqrt: {
    number: 9,
    since: 3,
    write: (w, node) => w.uint(node.source),
    read: (r, common) => ({ kind: "isqrt", ...common, source: r.uint() }),
  },
  below: {
    number: 11,
    since: 3,
    write(w, node) {
      w.uint(node.source)
      w.uint(node.maximum)
      w.deltas(node.owner)
      w.uint(node.shift)
      w.deltas(node.values)
    },
    read: (r, common) => ({
      kind: "below",
      ...common,
      source: r.uint(),
      maximum: r.uint(),
      owner: readIndices(r),
      shift: r.uint(),
      values: r.deltas(),
    }),
  },
  rows: {
    number: 13,
    since: 3,
    write(w, node) {
      w.uint(node.source)
      w.int(node.lo)
      w.uint(node.width)
      w.ints(node.values)
    },
    read: (r, common) => ({
      kind: "rows",
      ...common,
      source: r.uint(),
      lo: r.int(),
      width: r.uint(),
      values: r.ints(),
    }),
  },
  sort: {
    number: 12,
    since: 3,
    write(w, node) {
      w.uint(node.source)
      w.uint(node.window)
      w.uint(node.count)
      w.deltas(node.map)
    },
    read: (r, common) => ({
      kind: "sort",
      ...common,
      source: r.uint(),
      window: r.uint(),
      count: r.uint(),
      map: readIndices(r),
    }),
  },
  contraction: {
    number: 10,
    since: 3,
    write(w, { left, right, batch, m, k, n }) {
      for (const x of [left, right, batch, m, k, n]) w.uint(x)
    },
    read: (r, common) => ({
      kind: "contraction",
      ...common,
      left: r.uint(),
      right: r.uint(),
      batch: r.uint(),
      m: r.uint(),
      k: r.uint(),
      n: r.uint(),
    }),
  },
}

function writeSecret(w: ByteWriter, secret: Secret | undefined): void {
  w.byte(secret ? 1 : 0)
  if (!secret) return
  w.uint(secret.of)
  for (const window of secret.weights) writeWindow(w, window)
  writeWindow(w, secret.bias)
  if (!secret.bias) return
  w.uint(secret.bias.count)
  w.uint(secret.bias.inner)
}

function readSecret(r: ByteReader, terms: number): Secret | undefined {
  if (!r.flag()) return undefined
  const of = r.uint()
  const weights = Array.from({ length: terms }, () => readWindow(r))
  const window = readWindow(r)
  const bias = window && { ...window, count: r.uint(), inner: r.uint() }
  return { weights, ...(bias && { bias }), of }
}

function writeWindow(w: ByteWriter, window: Window | undefined): void {
  w.byte(window ? 1 : 0)
  if (!window) return
  w.int(window.lo)
  w.uint(window.bits)
}

const readWindow = (r: ByteReader): Window | undefined =>
  r.flag() ? { lo: r.int(), bits: r.uint() } : undefined

/** The fields of one kind of linear map in bytes. */
interface MapCodec<M extends LinearMap> {
  readonly number: number
  write(w: ByteWriter, map: M): void
  read(r: ByteReader): M
}

const mapCodecs: { readonly [K in LinearMap["kind"]]: MapCodec<Extract<LinearMap, { readonly kind: K }>> } = {
  dense: {
    number: 0,
    write(w, map) {
      for (const x of [map.n, map.k, map.m]) w.uint(x)
      w.ints(map.weight)
    },
    read: (r) => ({ kind: "dense", n: r.uint(), k: r.uint(), m: r.uint(), weight: r.ints() }),
  },
  conv: {
    number: 1,
    write(w, map) {
      for (const x of [map.n, map.groups, map.inChannels, map.outChannels]) w.uint(x)
      for (const list of [map.inSize, map.kernel, map.outSize, map.strides]) w.uints(list)
      w.ints(map.padsBegin)
      w.uints(map.dilations)
      w.ints(map.weight)
    },
    read: (r) => ({
      kind: "conv",
      n: r.uint(),
      groups: r.uint(),
      inChannels: r.uint(),
      outChannels: r.uint(),
      inSize: r.uints(),
      kernel: r.uints(),
      outSize: r.uints(),
      strides: r.uints(),
      padsBegin: [...r.ints()],
      dilations: r.uints(),
      weight: r.ints(),
    }),
  },
  sparse: {
    number: 2,
    write(w, { rowPtr, columns, values }) {
      w.uint(rowPtr.length - 1)
      for (let i = 1; i < rowPtr.length; i++) w.uint(rowPtr[i] - rowPtr[i - 1])
      w.deltas(columns)
      w.ints(values)
    },
    read(r) {
      const lengths = r.uints()
      const rowPtr = new Uint32Array(lengths.length + 1)
      let end = 0
      lengths.forEach((length, row) => {
        end += length
        if (end > maxIndex) r.fail("a row is too long")
        rowPtr[row + 1] = end
      })
      return { kind: "sparse", rowPtr, columns: Uint32Array.from(r.deltas(0, maxIndex)), values: r.ints() }
    },
  },
}

/** Largest index that signed and unsigned arrays hold. */
const maxIndex = 2 ** 31 - 1
const readIndices = (r: ByteReader): Int32Array => Int32Array.from(r.deltas(-1, maxIndex))

/** Every kind of node of an integer model. */
export const nodeKinds = Object.keys(codecs) as readonly IntNode["kind"][]

const codecOf = <N extends IntNode>(node: N): NodeCodec<N> => codecs[node.kind] as unknown as NodeCodec<N>

export function writeNode(w: ByteWriter, node: IntNode, version: number): void {
  const codec = codecOf(node)
  w.byte(codec.number)
  w.uint(node.out)
  w.text(node.origin.name)
  w.text(node.origin.operator)
  codec.write(w, node, version)
}

/** Throws FileError for a kind that is none. */
export function readNode(r: ByteReader, version: number): IntNode {
  const number = r.byte()
  const common = { out: r.uint(), origin: { name: r.text(), operator: r.text() } }
  const codec = Object.values(codecs).find((candidate) => candidate.number === number)
  return codec ? codec.read(r, common, version) : r.fail("unknown kind of node")
}

function writeMap(w: ByteWriter, map: LinearMap): void {
  const codec = mapCodecs[map.kind] as unknown as MapCodec<LinearMap>
  w.byte(codec.number)
  codec.write(w, map)
}

function readMap(r: ByteReader): LinearMap {
  const number = r.byte()
  const codec = Object.values(mapCodecs).find((candidate) => candidate.number === number)
  return codec ? codec.read(r) : r.fail("unknown kind of linear map")
}

/** Versions of the format, and the least one that has every kind among some nodes. */
export const versions: readonly number[] = [...new Set(Object.values(codecs).map(({ since }) => since))].sort(
  (a, b) => a - b,
)
export const versionOf = (nodes: readonly IntNode[]): number =>
  nodes.reduce(
    (version, node) => Math.max(version, isSecret(node) ? secretsSince : codecs[node.kind].since),
    1,
  )
