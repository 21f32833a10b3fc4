export interface Block {
  readonly inputs: number
}
export const poseidonBlock = async (): Promise<Block> => {
  throw new Error("todo")
}
export const commit = async (words: readonly bigint[], salt: bigint): Promise<bigint> => {
  throw new Error(`todo ${words.length} ${salt}`)
}
export const drawSalt = (): bigint => 0n
