declare module "@zk-kit/incremental-merkle-tree" {
  export class IncrementalMerkleTree {
    constructor(
      hash: (children: bigint[]) => bigint,
      depth: number,
      zero: bigint,
      arity: number,
      leaves?: bigint[],
    )
    readonly root: bigint
    createProof(index: number): { siblings: bigint[][]; pathIndices: number[] }
  }
}
