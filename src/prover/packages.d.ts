/** The parts we use of packages without types of their own. */

declare module "wasmcurves/build/bn128_wasm.js" {
  const prebuilt: {
    /** The module, base64; it imports `env.memory` of at least 25 pages. */
    code: string
    pG1gen: number
    pG1zero: number
    pG2gen: number
    pG2zero: number
    prePSize: number
    preQSize: number
  }
  export default prebuilt
}
