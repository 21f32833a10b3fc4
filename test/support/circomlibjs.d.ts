declare module "circomlibjs" {
  export function buildPoseidonReference(): Promise<{
    (inputs: readonly bigint[]): unknown
    F: { toObject(value: unknown): bigint }
  }>
}
