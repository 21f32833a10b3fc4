/**
 * HDF5 files as h5py writes them, by the file format's specification, version 3.0
 * (https://support.hdfgroup.org/documentation/hdf5/latest/_f_m_t3.html), as far as Keras's models go: groups as symbol
 * tables or as links in an object header, attributes in object headers, numbers and text, data in one piece or in
 * chunks that may be deflated and shuffled. What stands in fractal heaps (groups of many links and large attributes
 * of the newer formats) is refused.
 *
 * Nothing is read before it is asked for. Every structure is charged to the budget when it is visited, and every value before it
 * is held; addresses lead anywhere within the file, so circles of links cost what a path through them has names.
 */
import type { Budget } from "../../budget.js"
import type { Tensor } from "../graph.js"
import { inflated } from "../inflate.js"
import { limits } from "../limits.js"
import { Bytes } from "./bytes.js"
import { fixedText, pointedText, readShape, readType, type Type } from "./values.js"

/** A message of an object header. */
interface Message {
  readonly type: number
  readonly at: number
  readonly size: number
}

interface Values {
  readonly type: Type
  readonly shape: readonly number[]
  readonly count: number
}

/** Types of messages. */
const is = {
  dataspace: 0x01,
  linkInfo: 0x02,
  datatype: 0x03,
  link: 0x06,
  layout: 0x08,
  filters: 0x0b,
  attribute: 0x0c,
  continuation: 0x10,
  symbolTable: 0x11,
  attributeInfo: 0x15,
} as const

/** Levels of a B-tree: with two children a node, more than any file has. */
const mostLevels = 48

/** Steps of the budget for a structure that is visited. */
const visit = 64

/** The first bytes of an HDF5 file. */
export const isHdf5 = (bytes: Uint8Array): boolean =>
  [0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a].every((byte, i) => bytes[i] === byte)

export class Hdf5 {
  readonly #file: Bytes
  readonly #root: number
  readonly #headers = new Map<number, readonly Message[]>()
  readonly #links = new Map<number, ReadonlyMap<string, number>>()

  /** @throws ModelError for bytes that are no HDF5 file of a known version */
  constructor(
    bytes: Uint8Array,
    where: string,
    private readonly budget: Budget,
  ) {
    this.#file = new Bytes(bytes, where)
    if (!isHdf5(bytes)) this.#file.fail("is no HDF5 file")
    const version = this.#file.u8(8)
    const isOld = version < 2
    if (version > 3) this.#file.fail(`version ${version} of HDF5 is not known`)
    const [offsets, lengths] = isOld ? [13, 14] : [9, 10]
    if (this.#file.u8(offsets) !== 8 || this.#file.u8(lengths) !== 8)
      this.#file.fail("addresses that do not have 8 bytes are not supported")
    const base = isOld ? (version === 0 ? 24 : 28) : 12
    if (this.#file.u64(base) !== 0) this.#file.fail("a block before the file is not supported")
    this.#root = this.#file.u64(isOld ? base + 40 : 36)
  }

  /** Where a group or dataset is; undefined if the path leads nowhere. */
  find(path: readonly string[], from = this.#root): number | undefined {
    let at: number | undefined = from
    for (const name of path) {
      if (at === undefined) return undefined
      at = this.links(at).get(name)
    }
    return at
  }

  /** Names and places of what a group holds; none for a dataset. */
  links(at = this.#root): ReadonlyMap<string, number> {
    const known = this.#links.get(at)
    if (known) return known
    const found = new Map<string, number>()
    for (const message of this.#header(at)) {
      if (message.type === is.symbolTable) this.#symbolTable(message, found)
      else if (message.type === is.link) this.#link(message, found)
      else if (message.type === is.linkInfo) {
        const heap = message.at + ((this.#file.u8(message.at + 1) & 1) !== 0 ? 10 : 2)
        if (this.#file.address(heap) !== undefined)
          this.#file.fail("a group of many links in HDF5's newer format is not supported")
      }
    }
    this.#links.set(at, found)
    return found
  }

  /** Text of an attribute, each of its values; undefined if there is none. */
  text(at: number, name: string): string[] | undefined {
    const file = this.#file
    for (const message of this.#header(at)) {
      if (message.type === is.attributeInfo) {
        const heap = message.at + ((file.u8(message.at + 1) & 1) !== 0 ? 4 : 2)
        if (file.address(heap) !== undefined) file.fail("attributes in HDF5's newer format are not supported")
      }
      if (message.type !== is.attribute) continue
      const version = file.u8(message.at)
      if (version < 1 || version > 3) file.fail(`version ${version} of an attribute`)
      const sizes = [2, 4, 6].map((i) => file.u16(message.at + i))
      const padded = version === 1 ? sizes.map((size) => Math.ceil(size / 8) * 8) : sizes
      let part = message.at + (version === 3 ? 9 : 8)
      if (file.text(part, sizes[0]) !== name) continue
      if (version > 1 && (file.u8(message.at + 1) & 3) !== 0) file.fail("a shared type is not supported")
      part += padded[0]
      const type = readType(file, part)
      part += padded[1]
      const shape = readShape(file, part)
      part += padded[2]
      const count = shape.reduce((a, b) => a * b, 1)
      this.budget.elements(count, `${file.where}, attribute \`${name}\``)
      const values = file.slice(part, count * type.size)
      return Array.from({ length: count }, (_, i) => {
        if (type.kind === "text") return fixedText(values.subarray(i * type.size, (i + 1) * type.size))
        if (type.kind !== "pointer") return file.fail(`attribute \`${name}\` is no text`)
        this.budget.work(file.u32(part + i * type.size) + 2 ** 12, `${file.where}, attribute \`${name}\``)
        this.budget.elements(file.u32(part + i * type.size) / 4, `${file.where}, attribute \`${name}\``)
        return pointedText(file, part + i * type.size)
      })
    }
    return undefined
  }

  /** A dataset of numbers. @throws ModelError for anything else, and where the budget is exceeded */
  tensor(at: number, title: string): Tensor {
    const file = this.#file
    const header = this.#header(at)
    const find = (type: number): Message =>
      header.find((message) => message.type === type) ?? file.fail(`\`${title}\` is no dataset`)
    const type = readType(file, find(is.datatype).at)
    if (type.kind !== "number") file.fail(`\`${title}\` is text`)
    const shape = readShape(file, find(is.dataspace).at)
    const count = shape.reduce((a, b) => a * b, 1)
    const where = `${file.where}, \`${title}\``
    const layout = find(is.layout).at
    const version = file.u8(layout)
    const kind = file.u8(layout + 1)
    const filters = header.find((message) => message.type === is.filters)
    let bytes: Uint8Array
    if (count === 0) bytes = new Uint8Array(0)
    else if ((version === 3 || version === 4) && kind === 0) bytes = file.slice(layout + 4, count * type.size)
    else if ((version === 3 || version === 4) && kind === 1) {
      const address = file.address(layout + 2)
      if (address === undefined) return file.fail(`\`${title}\` has no values`)
      bytes = file.slice(address, count * type.size)
    } else if (version === 3 && kind === 2) {
      bytes = this.#chunks(layout, { type, shape, count }, filters, where)
    } else return file.fail(`\`${title}\` is stored in a way that is not supported`)
    this.budget.elements(count, where)
    this.budget.work(count, where)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const data = new Float64Array(count)
    for (let i = 0; i < count; i++) data[i] = type.read(view, i * type.size)
    if (!data.every(Number.isFinite)) file.fail(`\`${title}\` has values that are not finite`)
    return { shape, data, dtype: type.isWhole ? "int64" : "float32" }
  }

  /** The messages of an object header, those of its continuations after them. */
  #header(at: number): readonly Message[] {
    const known = this.#headers.get(at)
    if (known) return known
    const file = this.#file
    const messages: Message[] = []
    const isNew = file.u8(at) === 0x4f
    let tracks = false
    const blocks: [start: number, end: number][] = []
    if (isNew) {
      file.signature(at, "OHDR")
      const flags = file.u8(at + 5)
      tracks = (flags & 4) !== 0
      const sizeAt = at + 6 + ((flags & 0x20) !== 0 ? 16 : 0) + ((flags & 0x10) !== 0 ? 4 : 0)
      const width = 1 << (flags & 3)
      blocks.push([sizeAt + width, sizeAt + width + file.sized(sizeAt, width)])
    } else {
      if (file.u8(at) !== 1) file.fail("no object where the file says that one is")
      blocks.push([at + 16, at + 16 + file.u32(at + 8)])
    }
    const visited = new Set<number>()
    for (let block = blocks.pop(); block; block = blocks.pop()) {
      const [start, end] = block
      if (visited.has(start)) file.fail("an object header that continues in itself")
      visited.add(start)
      file.slice(start, end - start)
      const head = isNew ? (tracks ? 6 : 4) : 8
      for (let next = start; next + head <= end; ) {
        this.budget.work(visit, file.where)
        const type = isNew ? file.u8(next) : file.u16(next)
        const size = file.u16(next + (isNew ? 1 : 2))
        const shared = (file.u8(next + (isNew ? 3 : 4)) & 2) !== 0
        const data = next + head
        if (data + size > end) file.fail("a message that is longer than its object header")
        if (shared && type !== 0) file.fail("messages that objects share are not supported")
        if (type === is.continuation) {
          const address = file.u64(data)
          const length = file.u64(data + 8)
          if (isNew) file.signature(address, "OCHK")
          blocks.push(isNew ? [address + 4, address + length - 4] : [address, address + length])
        } else if (type !== 0) messages.push({ type, at: data, size })
        next = data + size
      }
    }
    this.budget.elements(4 * messages.length, file.where)
    this.#headers.set(at, messages)
    return messages
  }

  #link({ at }: Message, found: Map<string, number>): void {
    const file = this.#file
    const flags = file.u8(at + 1)
    let part = at + 2
    const kind = (flags & 8) !== 0 ? file.u8(part++) : 0
    if ((flags & 4) !== 0) part += 8
    if ((flags & 0x10) !== 0) part++
    const width = 1 << (flags & 3)
    const length = file.sized(part, width)
    const name = new TextDecoder().decode(file.slice(part + width, length))
    // soft and external links lead by names, which nothing of Keras needs
    if (kind === 0) this.#name(found, name, file.u64(part + width + length))
  }

  #name(found: Map<string, number>, name: string, address: number): void {
    this.budget.work(visit, this.#file.where)
    this.budget.elements(8 + name.length / 4, this.#file.where)
    if (found.has(name)) this.#file.fail(`the name \`${name.slice(0, 100)}\` is there twice`)
    found.set(name, address)
  }

  /** A group of the older format: a B-tree of tables of symbols, with names in a heap. */
  #symbolTable(message: Message, found: Map<string, number>): void {
    const file = this.#file
    const tree = file.address(message.at)
    const heap = file.u64(message.at + 8)
    file.signature(heap, "HEAP")
    const names = { size: file.u64(heap + 8), at: file.u64(heap + 24) }
    if (tree === undefined) return
    for (const leaf of this.#leaves(tree, 0, 8)) {
      file.signature(leaf.child, "SNOD")
      const count = file.u16(leaf.child + 6)
      for (let i = 0; i < count; i++) {
        const entry = leaf.child + 8 + 40 * i
        const name = file.u64(entry)
        const isSoft = file.u32(entry + 16) === 2
        if (name >= names.size) file.fail("a name outside of its heap")
        if (!isSoft)
          this.#name(
            found,
            file.text(names.at + name, Math.min(names.size - name, 4096)),
            file.u64(entry + 8),
          )
      }
    }
  }

  /** What the leaves of a B-tree of version 1 point to, with the places of their keys. */
  *#leaves(root: number, kind: number, keyBytes: number): Generator<{ key: number; child: number }> {
    const file = this.#file
    const seen = new Set<number>()
    const waiting: { at: number; level: number | undefined }[] = [{ at: root, level: undefined }]
    for (let next = waiting.pop(); next; next = waiting.pop()) {
      const { at } = next
      this.budget.work(visit, file.where)
      file.signature(at, "TREE")
      const level = file.u8(at + 5)
      const used = file.u16(at + 6)
      if (seen.has(at)) file.fail("a tree that has a node twice")
      seen.add(at)
      if (file.u8(at + 4) !== kind || level > mostLevels || level !== (next.level ?? level))
        file.fail("a tree with a node of another kind or level")
      const children = Array.from({ length: used }, (_, i) => {
        this.budget.work(visit, file.where)
        const key = at + 24 + i * (keyBytes + 8)
        return { key, child: file.u64(key + keyBytes) }
      })
      if (level === 0) yield* children
      // the first child first
      else for (const { child } of children.reverse()) waiting.push({ at: child, level: level - 1 })
    }
  }

  /** The bytes of a dataset that is stored in chunks. */
  #chunks(layout: number, { type, shape, count }: Values, filters: Message | undefined, where: string) {
    const file = this.#file
    const rank = shape.length
    if (file.u8(layout + 2) !== rank + 1) file.fail(`${where}: chunks of another number of dimensions`)
    const tree = file.address(layout + 3)
    const chunk = shape.map((_, i) => file.u32(layout + 11 + 4 * i))
    const cells = chunk.reduce((a, b) => a * b, 1)
    if (rank === 0 || tree === undefined || chunk.some((size) => size === 0) || cells > limits.elements)
      return file.fail(`${where}: chunks of ${chunk.join(" × ")}`)
    const steps = filters ? this.#filters(filters) : []
    this.budget.elements((count * type.size) / 8, where)
    const result = new Uint8Array(count * type.size)
    const strides = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1))
    let filled = 0
    const places = new Set<string>()
    for (const { key, child } of this.#leaves(tree, 1, 8 + 8 * (rank + 1))) {
      const start = shape.map((_, i) => file.u64(key + 8 + 8 * i))
      if (start.some((at, i) => at % chunk[i] !== 0 || at >= shape[i]))
        file.fail(`${where}: a chunk outside of the data`)
      if (places.has(start.join())) file.fail(`${where}: a chunk that is there twice`)
      places.add(start.join())
      if (file.u32(key + 4) !== 0) file.fail(`${where}: chunks without a filter among others`)
      this.budget.work(cells * (rank + 1), where)
      const data = this.#unfiltered(
        file.slice(child, file.u32(key)),
        steps,
        cells * type.size,
        type.size,
        where,
      )
      const size = shape.map((dim, i) => Math.min(chunk[i], dim - start[i]))
      const rows = size.slice(0, -1).reduce((a, b) => a * b, 1)
      const last = rank - 1
      for (let row = 0; row < rows; row++) {
        let [from, to] = [0, start[last]]
        let within = 1
        for (let axis = last - 1, rest = row; axis >= 0; axis--) {
          within *= chunk[axis + 1]
          from += (rest % size[axis]) * within
          to += (start[axis] + (rest % size[axis])) * strides[axis]
          rest = Math.floor(rest / size[axis])
        }
        const part = data.subarray(from * type.size, (from + size[last]) * type.size)
        result.set(part, to * type.size)
      }
      filled += rows * size[last]
    }
    return filled === count ? result : file.fail(`${where}: some of its chunks are missing`)
  }

  /** Numbers of the filters in the order that a writer applied them. */
  #filters({ at }: Message): readonly number[] {
    const file = this.#file
    const version = file.u8(at)
    if (version !== 1 && version !== 2) return file.fail(`version ${version} of filters`)
    const numbers: number[] = []
    let next = at + (version === 1 ? 8 : 2)
    for (let i = 0; i < file.u8(at + 1); i++) {
      const id = file.u16(next)
      const hasName = version === 1 || id >= 256
      const name = hasName ? file.u16(next + 2) : 0
      next += hasName ? 4 : 2
      const values = file.u16(next + 2)
      next += 4 + (version === 1 ? Math.ceil(name / 8) * 8 + 8 * Math.ceil(values / 2) : name + 4 * values)
      if (id < 1 || id > 3) file.fail(`filter ${id}; deflate, shuffle and Fletcher-32 are supported`)
      if (numbers.includes(id)) file.fail("a filter that is there twice")
      numbers.push(id)
    }
    return numbers
  }

  /** A chunk's bytes before its filters. */
  #unfiltered(
    stored: Uint8Array,
    filters: readonly number[],
    size: number,
    width: number,
    where: string,
  ): Uint8Array {
    const file = this.#file
    let bytes = stored
    // what a checksum behind a deflated stream would add to it
    let added = filters.includes(3) ? 4 : 0
    for (const filter of [...filters].reverse()) {
      if (filter === 3) {
        bytes = bytes.subarray(0, Math.max(0, bytes.length - 4))
        added = 0
      } else if (filter === 1) {
        // a zlib stream: two bytes before and four behind
        const made = inflated(bytes.subarray(2, -4), size + added, this.budget, where)
        bytes = made ?? file.fail(`${where}: a chunk that cannot be inflated to ${size} bytes`)
      } else {
        if (bytes.length % width !== 0) file.fail(`${where}: a chunk of ${bytes.length} bytes`)
        const rows = bytes.length / width
        this.budget.elements(bytes.length / 8, where)
        const plain = new Uint8Array(bytes.length)
        for (let i = 0, from = 0; i < width; i++)
          for (let row = 0; row < rows; row++) plain[row * width + i] = bytes[from++]
        bytes = plain
      }
    }
    return bytes.length === size
      ? bytes
      : file.fail(`${where}: a chunk of ${bytes.length} bytes, not ${size}`)
  }
}
