/** The parts we use of packages without types. */
declare module "blake2b-wasm" {
  interface Blake2b {
    update(input: Uint8Array): Blake2b
    digest(): Uint8Array
    getPartialHash(): Uint8Array
    setPartialHash(state: Uint8Array): void
  }
  const blake2b: {
    (digestLength: number): Blake2b
    ready(callback: (error?: Error) => void): void
  }
  export default blake2b
}
