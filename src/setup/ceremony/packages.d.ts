/** The parts we use of packages without types. */
declare module "ffjavascript" {
  /** Field elements and points are bytes in the package's own form. */
  interface Generator {
    nextU32(): number
  }
  interface Field {
    fromRng(generator: Generator): Uint8Array
    toObject(element: Uint8Array): bigint
  }
  interface Group {
    fromRng(generator: Generator): Uint8Array
    toAffine(point: Uint8Array): Uint8Array
    /** x, y and z, which are pairs in G2. */
    toObject(point: Uint8Array): readonly (bigint | bigint[])[]
  }
  interface Curve {
    readonly Fr: Field
    readonly G1: Group
    readonly G2: Group
  }
  export const ChaCha: new (seed: readonly number[]) => Generator
  export function buildBn128(singleThread: boolean): Promise<Curve>
}
