export interface Block {
  readonly inputs: number
}
export const poseidonBlock = async (): Promise<Block> => {
  throw new Error("todo")
}
