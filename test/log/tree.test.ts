/** The tree against @zk-kit/incremental-merkle-tree with circomlibjs's Poseidon, and its proofs against forgers. */
import { IncrementalMerkleTree } from "@zk-kit/incremental-merkle-tree"
import { buildPoseidonReference } from "circomlibjs"
import fc from "fast-check"
import { beforeAll, describe, expect, it } from "vitest"
import {
  type ConsistencyProof,
  type Head,
  type InclusionProof,
  poseidon2,
  verifyConsistency,
  verifyInclusion,
} from "#src/log/index.js"
import { grow, noPeaks, type Peaks } from "#src/log/nodes.js"
import { blocksOf, depth, nodeHex, nodeOf, type Place, rootOf, siblingsOf } from "#src/log/tree.js"

const leafOf = (i: number) => poseidon2(BigInt(i), 7n)

/** A tree in memory, of blocks as the log's files have them. */
class Tree {
  readonly levels: bigint[][] = Array.from({ length: depth + 1 }, () => [])
  peaks: Peaks = noPeaks
  readonly size: number
  constructor(leaves: readonly bigint[], batches: readonly number[] = [leaves.length]) {
    this.size = leaves.length
    let at = 0
    for (const count of batches) {
      const grown = grow(at, this.peaks, leaves.slice(at, at + count))
      for (const [level, { first, nodes }] of grown.levels.entries()) {
        expect(first).toBe(this.levels[level].length)
        this.levels[level].push(...nodes)
      }
      this.peaks = grown.peaks
      at += count
    }
  }
  block = ({ level, index }: Place) => this.levels[level][index]
  head = (size = this.size): Head => ({ size, root: nodeHex(rootOf(size, this.block)) })
  inclusion = (index: number, size = this.size): InclusionProof => ({
    size,
    index,
    siblings: siblingsOf(index).map((place) => nodeHex(nodeOf(place, size, this.block))),
  })
  consistency = (from: number, to = this.size): ConsistencyProof => ({
    from,
    to,
    blocks: [...blocksOf(0, from), ...blocksOf(from, to)].map((place) => nodeHex(this.block(place))),
  })
}
const leaves = (count: number, change: (i: number) => number = (i) => i) =>
  Array.from({ length: count }, (_, i) => leafOf(change(i)))

const sizes = fc.integer({ min: 0, max: 40 })
const pair = fc.tuple(sizes, sizes).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)

describe("the tree", () => {
  let other: (values: readonly bigint[]) => IncrementalMerkleTree
  beforeAll(async () => {
    const poseidon = await buildPoseidonReference()
    const known = new Map<string, bigint>()
    // the reference takes milliseconds, and most nodes occur again
    const hash = (values: bigint[]) => {
      const name = values.join()
      if (!known.has(name)) known.set(name, poseidon.F.toObject(poseidon(values)))
      return known.get(name) as bigint
    }
    other = (values) => new IncrementalMerkleTree(hash, depth, 0n, 2, [...values])
  })

  it("is zk-kit's, at every size and however leaves come", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 6 }), fc.gen(), (batches, gen) => {
        const count = batches.reduce((a, b) => a + b, 0)
        const tree = new Tree(leaves(count), batches)
        const theirs = other(leaves(count))
        expect(tree.head().root).toBe(nodeHex(theirs.root))
        if (count === 0) return
        const index = gen(fc.integer, { min: 0, max: count - 1 })
        const { siblings, pathIndices } = theirs.createProof(index)
        const proof = tree.inclusion(index)
        expect(proof.siblings).toEqual(siblings.map(([sibling]) => nodeHex(sibling)))
        expect(pathIndices).toEqual(Array.from({ length: depth }, (_, i) => (index >>> i) & 1))
        expect(verifyInclusion(proof, nodeHex(leafOf(index)), tree.head())).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  it("has the roots and proofs of all its earlier sizes", () => {
    const tree = new Tree(leaves(37))
    for (let size = 1; size <= 37; size += 3) {
      expect(tree.head(size).root).toBe(nodeHex(other(leaves(size)).root))
      const theirs = other(leaves(size)).createProof(size >> 1)
      expect(tree.inclusion(size >> 1, size).siblings).toEqual(theirs.siblings.map(([x]) => nodeHex(x)))
    }
  })

  it("finds places up to the last entry that there can be", () => {
    const last = 2 ** 32 - 1
    const top = siblingsOf(last)
    expect(top.map(({ index }) => index)).toEqual(top.map(({ level }) => 2 ** (32 - level) - 2))
    expect(blocksOf(0, 2 ** 32)).toEqual([{ level: 32, index: 0 }])
    expect(blocksOf(2 ** 32 - 3, 2 ** 32).map(({ level }) => level)).toEqual([0, 1])
  })
})

describe("a proof of inclusion", () => {
  const tree = new Tree(leaves(11))
  const proof = tree.inclusion(6)
  const leaf = nodeHex(leafOf(6))
  const flip = (hex: string) => `${hex.slice(0, -1)}${hex.endsWith("0") ? "1" : "0"}` as `0x${string}`

  it("is for one leaf, index, size and root", () => {
    expect(verifyInclusion(proof, leaf, tree.head())).toBe(true)
    expect(verifyInclusion(proof, nodeHex(leafOf(7)), tree.head())).toBe(false)
    expect(verifyInclusion({ ...proof, index: 7 }, leaf, tree.head())).toBe(false)
    expect(verifyInclusion(proof, leaf, tree.head(10))).toBe(false)
    expect(verifyInclusion({ ...proof, size: 10 }, leaf, tree.head(10))).toBe(false)
    expect(verifyInclusion({ ...proof, size: 12 }, leaf, tree.head())).toBe(false)
    for (let i = 0; i < depth; i++) {
      const siblings = proof.siblings.map((x, j) => (i === j ? flip(x) : x))
      expect(verifyInclusion({ ...proof, siblings }, leaf, tree.head())).toBe(false)
    }
  })

  it("does not pass an inner node off as a leaf", () => {
    const inner = nodeHex(tree.levels[1][3])
    const shorter = { ...proof, index: 3, siblings: proof.siblings.slice(1) }
    expect(() => verifyInclusion(shorter, inner, tree.head())).toThrow(/siblings: wrong length; expected 32/)
  })

  it.each([
    [{ ...proof, index: 11 }, /proof\.index: no number of entries; expected 0 to 10/],
    [{ ...proof, index: -0 }, /proof\.index/],
    [{ ...proof, size: 0 }, /proof\.size/],
    [{ ...proof, more: 1 }, /unknown field "more"/],
    [{ ...proof, siblings: proof.siblings.map(() => `0x${"f".repeat(64)}`) }, /no element of the field/],
    [null, /expected an object/],
  ])("that is none is refused: %#", (bad, message) => {
    expect(() => verifyInclusion(bad as InclusionProof, leaf, tree.head())).toThrow(message)
  })
})

describe("a proof of consistency", () => {
  it("is there for all sizes, and for no others", () => {
    const tree = new Tree(leaves(40))
    fc.assert(
      fc.property(pair, sizes, ([from, to], another) => {
        const proof = tree.consistency(from, to)
        expect(verifyConsistency(proof, tree.head(from), tree.head(to))).toBe(true)
        if (another !== from) expect(verifyConsistency(proof, tree.head(another), tree.head(to))).toBe(false)
        if (another !== to) expect(verifyConsistency(proof, tree.head(from), tree.head(another))).toBe(false)
      }),
      { numRuns: 25 },
    )
  })

  const old = new Tree(leaves(13))
  /** Logs that took something back, each with the best proof that its blocks allow. */
  const forgers: Record<string, Tree> = {
    "an entry edited": new Tree(leaves(29, (i) => (i === 4 ? 99 : i))),
    "the last entry edited": new Tree(leaves(29, (i) => (i === 12 ? 99 : i))),
    "an entry dropped": new Tree(leaves(29, (i) => (i < 4 ? i : i + 1))),
    "two entries exchanged": new Tree(leaves(29, (i) => (i === 4 ? 5 : i === 5 ? 4 : i))),
    "an entry put in": new Tree(leaves(29, (i) => (i < 4 ? i : i === 4 ? 99 : i - 1))),
    "another end": new Tree(leaves(29, (i) => (i < 10 ? i : 100 + i))),
  }
  it.each(Object.keys(forgers))("is not there for a log with %s", (name) => {
    const forger = forgers[name]
    const honest = old.consistency(13).blocks
    const theirs = forger.consistency(13).blocks
    // old blocks, new blocks, and every mixture of both
    for (let mask = 0; mask < 2 ** honest.length; mask++) {
      const mixed = honest.map((block, i) => ((mask >> i) & 1 ? block : theirs[i]))
      const proof = { from: 13, to: 29, blocks: [...mixed, ...theirs.slice(honest.length)] }
      expect(verifyConsistency(proof, old.head(), forger.head())).toBe(false)
    }
  })

  it("shows a size that is not the root's", () => {
    // a root over 13 leaves that calls itself one over 12
    const lie = { size: 12, root: old.head().root }
    const blocks = old.consistency(12, 12).blocks
    expect(verifyConsistency({ from: 12, to: 12, blocks }, lie, lie)).toBe(false)
    const tree = new Tree(leaves(20))
    expect(verifyConsistency(tree.consistency(12), lie, tree.head())).toBe(false)
  })

  it("refuses another number of blocks", () => {
    const proof = old.consistency(5)
    for (const blocks of [proof.blocks.slice(1), [...proof.blocks, proof.blocks[0]]])
      expect(() => verifyConsistency({ ...proof, blocks }, old.head(5), old.head())).toThrow(/wrong length/)
  })
})
