/**
 * The log's Merkle tree: two children, depth 32, Poseidon, zero where no entry is yet; equal to
 * @zk-kit/incremental-merkle-tree with those parameters. Its size, the number of leaves, is not in the root, so it goes
 * with it wherever a root goes.
 *
 * A *block* is a subtree whose leaves are all there. The leaves from a to b are covered by the largest blocks that fit,
 * at most 64 of them, from left to right; those from 0 are the tree's *peaks*. Root and size follow from the peaks:
 * what lies to the right of them is zero.
 *
 * **Inclusion.** 32 siblings lead from a leaf to the root. All paths have that length, so no inner node passes for a
 * leaf, and the index says at each step which child it is.
 *
 * **Consistency** of a tree of m leaves with one of n: the blocks that cover 0 … m, then those that cover m … n. The first
 * alone, and zeros, must give the old root; all of them, and zeros, the new one. Who knows two lists of leaves for
 * either root knows a collision of Poseidon. So the old root stands for the leaves below the first blocks and for
 * nothing behind them, and the new root has the same blocks in the same places: it begins with the same m leaves in the same
 * order, and ends after n.
 */
import { r } from "../field.js"
import { array, bytes32, fail, fields, type Hex, object, shown } from "../statement/strict.js"
import { poseidon2 } from "./poseidon.js"

export const depth = 32
/** Most entries of a log. */
export const mostEntries = 2 ** depth

/** A node: of the 2^level leaves from index·2^level on. */
export interface Place {
  readonly level: number
  readonly index: number
}

/** A root, and how many leaves it stands for. */
export interface Head {
  readonly size: number
  readonly root: Hex
}

/** That a leaf is in a tree of `size` leaves; as JSON. */
export interface InclusionProof {
  readonly size: number
  readonly index: number
  /** From the leaf up. */
  readonly siblings: readonly Hex[]
}

/** That a tree of `to` leaves begins with those of one of `from`; as JSON. */
export interface ConsistencyProof {
  readonly from: number
  readonly to: number
  /** Blocks that cover 0 … from, then those that cover from … to. */
  readonly blocks: readonly Hex[]
}

let zeroNodes: bigint[] | undefined

/** Root of a subtree without leaves. */
export function zeroNode(level: number): bigint {
  if (!zeroNodes) {
    zeroNodes = [0n]
    for (let i = 0; i < depth; i++) zeroNodes.push(poseidon2(zeroNodes[i], zeroNodes[i]))
  }
  return zeroNodes[level]
}

export const nodeHex = (node: bigint): Hex => `0x${node.toString(16).padStart(64, "0")}`

/** The largest blocks that cover the leaves from `from` to `to`, from left to right. */
export function blocksOf(from: number, to: number): Place[] {
  const blocks: Place[] = []
  for (let at = from; at < to; ) {
    let level = 0
    while (level < depth && at % 2 ** (level + 1) === 0 && at + 2 ** (level + 1) <= to) level++
    blocks.push({ level, index: at / 2 ** level })
    at += 2 ** level
  }
  return blocks
}

/**
 * A node of a tree of `size` leaves, of its blocks: `block` gives the ones that are asked for, from left to right.
 * `split`: no block reaches over that leaf. At most 32 hashes, or 64 with a split.
 */
export function nodeOf(
  { level, index }: Place,
  size: number,
  block: (place: Place) => bigint,
  split = 0,
): bigint {
  const [from, to] = [index * 2 ** level, (index + 1) * 2 ** level]
  if (from >= size) return zeroNode(level)
  if (to <= size && (to <= split || from >= split)) return block({ level, index })
  const left = nodeOf({ level: level - 1, index: 2 * index }, size, block, split)
  return poseidon2(left, nodeOf({ level: level - 1, index: 2 * index + 1 }, size, block, split))
}

const top: Place = { level: depth, index: 0 }

/** The root of a tree of `size` leaves, of its blocks. */
export const rootOf = (size: number, block: (place: Place) => bigint, split = 0): bigint =>
  nodeOf(top, size, block, split)

/** The siblings on the way from a leaf to the root. */
export const siblingsOf = (index: number): Place[] =>
  Array.from({ length: depth }, (_, level) => {
    const own = Math.floor(index / 2 ** level)
    return { level, index: own % 2 === 0 ? own + 1 : own - 1 }
  })

/**
 * Whether a leaf (`leafOf`) is the one that an inclusion proof is about, in the tree of a head that one trusts.
 * @throws FileError for a proof that is none
 */
export function verifyInclusion(proof: InclusionProof, leaf: Hex, head: Head): boolean {
  const { size, index, siblings } = parseInclusionProof(proof)
  const { size: trusted, root } = parseHead(head)
  if (size !== trusted) return false
  let node = element(leaf, "leaf")
  for (const [level, sibling] of siblings.entries()) {
    const other = BigInt(sibling)
    node = Math.floor(index / 2 ** level) % 2 === 0 ? poseidon2(node, other) : poseidon2(other, node)
  }
  return nodeHex(node) === root
}

/**
 * Whether the tree of head `to` begins with all leaves of the tree of head `from`.
 * @throws FileError for a proof that is none
 */
export function verifyConsistency(proof: ConsistencyProof, from: Head, to: Head): boolean {
  const { blocks, ...sizes } = parseConsistencyProof(proof)
  const [old, later] = [parseHead(from), parseHead(to)]
  if (sizes.from !== old.size || sizes.to !== later.size) return false
  const nodes = blocks.map(BigInt)
  const rootFrom = (size: number) => {
    let used = 0
    return nodeHex(rootOf(size, () => nodes[used++], sizes.from))
  }
  return rootFrom(sizes.from) === old.root && rootFrom(sizes.to) === later.root
}

/** A whole number of leaves, as JSON has it. @throws FileError */
export function leafCount(value: unknown, path: string, least = 0, most = mostEntries): number {
  if (
    typeof value !== "number" ||
    !Number.isSafeInteger(value) ||
    Object.is(value, -0) ||
    value < least ||
    value > most
  )
    fail(path, { what: "no number of entries", expected: `${least} to ${most}`, given: shown(value) })
  return value
}

/** A node: an element of the field. @throws FileError */
function element(value: unknown, path: string): bigint {
  const node = BigInt(bytes32(value, path))
  if (node >= r) fail(path, { what: "no element of the field", expected: "below r", given: shown(value) })
  return node
}

/** Size and root of what has them. @throws FileError */
export function parseHead(value: unknown, path = "head"): Head {
  const { size, root } = object(value, path)
  return { size: leafCount(size, `${path}.size`), root: nodeHex(element(root, `${path}.root`)) }
}

const elements = (value: unknown, path: string, length: number): Hex[] =>
  array(value, path, length).map((x, i) => nodeHex(element(x, `${path}[${i}]`)))

/** @throws FileError */
export function parseInclusionProof(value: unknown, path = "proof"): InclusionProof {
  const given = fields(value, path, ["size", "index", "siblings"])
  const size = leafCount(given.size, `${path}.size`, 1)
  return {
    size,
    index: leafCount(given.index, `${path}.index`, 0, size - 1),
    siblings: elements(given.siblings, `${path}.siblings`, depth),
  }
}

/** @throws FileError */
export function parseConsistencyProof(value: unknown, path = "proof"): ConsistencyProof {
  const given = fields(value, path, ["from", "to", "blocks"])
  const to = leafCount(given.to, `${path}.to`)
  const from = leafCount(given.from, `${path}.from`, 0, to)
  const count = blocksOf(0, from).length + blocksOf(from, to).length
  return { from, to, blocks: elements(given.blocks, `${path}.blocks`, count) }
}
