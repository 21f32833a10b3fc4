/** The parts we use of packages without types. */
declare module "snarkjs" {
  interface Groth16Proof {
    pi_a: string[]
    pi_b: string[][]
    pi_c: string[]
    protocol: string
    curve: string
  }
  type MemoryFile = { type: "mem"; data?: Uint8Array }
  type Input = string | Uint8Array | MemoryFile
  interface System<P extends object> {
    prove(
      zkey: Input,
      witness: Input,
      logger?: object,
      options?: { singleThread?: boolean },
    ): Promise<{ proof: P; publicSignals: string[] }>
    verify(key: object, signals: string[], proof: P, logger?: object): Promise<boolean>
  }
  interface UniversalSystem extends System<object> {
    setup(r1cs: Input, ptau: Input, out: Input, logger?: object): Promise<unknown>
  }
  export const groth16: System<Groth16Proof>
  export const plonk: UniversalSystem
  export const fflonk: UniversalSystem
  export const zKey: {
    newZKey(r1cs: Input, ptau: Input, out: Input): Promise<unknown>
    contribute(from: Input, to: Input, name: string, entropy: string): Promise<unknown>
    beacon(from: Input, to: Input, name: string, value: string, iterations: number): Promise<unknown>
    verifyFromInit(first: Input, ptau: Input, zkey: Input): Promise<boolean>
    exportVerificationKey(zkey: Input): Promise<object>
    exportSolidityVerifier(zkey: Input, templates: Record<string, string>, logger?: object): Promise<string>
  }
  export const r1cs: { info(file: Input): Promise<{ nConstraints: number; nVars: number }> }
  export const wtns: {
    calculate(input: object, wasm: Input, out: Input): Promise<void>
    exportJson(file: Input): Promise<unknown>
  }
  export const powersOfTau: {
    newAccumulator(curve: object, power: number, out: Input): Promise<unknown>
    contribute(from: Input, to: Input, name: string, entropy: string): Promise<unknown>
    beacon(from: Input, to: Input, name: string, value: string, iterations: number): Promise<unknown>
    preparePhase2(from: Input, to: Input): Promise<unknown>
    verify(file: Input): Promise<boolean>
  }
  export const curves: { getCurveFromName(name: string): Promise<{ terminate(): Promise<void> }> }
}
declare module "comlink/dist/esm/node-adapter.mjs" {
  import type { MessagePort, Worker } from "node:worker_threads"
  import type { Endpoint } from "comlink"
  export default function nodeEndpoint(port: MessagePort | Worker): Endpoint
}
