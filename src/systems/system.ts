/**
 * What a proof system says of itself to compile, inspect, set up, prove and audit. Whoever does that asks the one
 * object of this type that its circuit names, and never which system it is. What it verifies by is its `verify.ts`.
 */
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import type { ByteSource, ProvingKey } from "../circuit/formats/source.js"
import type { Block } from "../circuit/gadgets/poseidon.js"
import type { Gadget } from "../circuit/gadgets/reduce.js"
import type { CircuitBase } from "../circuit/link/circuit.js"
import type { Lookup } from "../circuit/link/lookup.js"
import type { Forms, Plan } from "../circuit/plan/plan.js"
import type { Salts } from "../circuit/witness/commitment.js"
import type { TensorValues, Witness } from "../circuit/witness/witness.js"
import type { OnProgress } from "../errors.js"
import type { Engine, Layers } from "../prover/engine/engine.js"
import type { KernelEngine } from "../prover/kernels/engine.js"
import type { IntGraph } from "../quantize/integers/intgraph.js"
import type { CeremonyHead } from "../setup/ceremony/transcript.js"
import type { PowersOfTau } from "../setup/ptau/powers.js"
import type { KeyPoints, KeyQueries } from "../setup/queries.js"
import type { CheckedFacts, KeyFacts } from "../statement/key.js"
import type { G2Point } from "../statement/points.js"
import type { Provenance } from "../statement/provenance.js"
import type { Statement } from "../statement/statement.js"
import type { Hex } from "../statement/strict.js"

/** Forms of gadgets; `rows` predicts the constraints of a circuit of them, without adding up what gadgets cost. */
export type SystemForms = Forms & { readonly rows?: number }

/** A circuit before it is linked. */
export interface Linking {
  readonly circuit: Omit<CircuitBase, "domain" | "nonzeros">
  readonly plan: Plan
  readonly gadgets: ReadonlyMap<string, Gadget>
  /** Give linear results wires of their own where that saves at least this many non-zeros per row. */
  readonly nonzerosPerRow: number
  /** Poseidon's rows, if the circuit has commitments. */
  readonly block: Block | undefined
}

/** Rows of a circuit that belong to no node. */
export interface BoundaryRows {
  readonly name: string
  readonly primitive: string
  readonly constraints: number
}

/** A wire that a forger moves. */
export interface Target {
  readonly what: string
  readonly kind: string
  readonly wire: number
}
/** Up to `count` numbers of a range. */
export type Pick = (from: number, to: number, count?: number) => readonly number[]

/** A circuit compared with exact integers of every tensor: what its rows say of wires that stand for them. */
export interface Compared {
  readonly exact: readonly (readonly bigint[])[]
  /** Why row 0 · 0 = combination − wire is not there with a combination that is `value`, if it is not. */
  equals(row: number, wire: number, value: bigint, isEqual?: (x: bigint) => boolean): string | undefined
  /** The sum of a row over all wires but `count` from `first` on. */
  sumBut(side: SparseRows, row: number, first: number, count: number): bigint
}

/** Points of a proving key that hide, and have a partner in G2, as a file has them. */
export interface Masks {
  readonly beta1: Uint8Array
  readonly delta1: Uint8Array
  /** Others, by the name of their secret, whose partner a verification key calls that and 2. */
  readonly deltaC1?: Uint8Array
}

/** What a proving key says for verification. */
export interface KeyContent {
  readonly setup: Provenance
  /** Points of the verification key, as its JSON has them. */
  readonly points: object
  readonly masks: Masks
}

/** Points of a section, one for each wire. */
export interface SectionPoints {
  readonly name: string
  readonly wires: Uint32Array
  readonly points: Uint8Array | ByteSource
}
/** K_i / δ of a group of wires, with that δ in G2. */
export interface DividedPoints extends SectionPoints {
  readonly divisor: G2Point
}

/** The sections of a proving key. */
export interface KeySections {
  readonly system: R1cs
  readonly domain: number
  readonly a: SectionPoints
  readonly b1: SectionPoints
  readonly b2: SectionPoints
  readonly groups: readonly DividedPoints[]
  readonly h: Omit<SectionPoints, "wires"> & { readonly layers: Layers }
  /** Of wires on side C of a product, where the prover does not transform that side. */
  readonly c?: SectionPoints
}

export interface MemoryOptions {
  /** A larger key is streamed, where the system can. */
  readonly residentBytes?: number | undefined
}

export interface OpenSystem<K> extends MemoryOptions {
  readonly engine: Engine | undefined
  readonly key: K
  /** Digest of the verification key. */
  readonly digest: Hex
}

export interface ProveStatement {
  readonly salts?: Salts | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** A key that is loaded. */
export interface Backend {
  /** `holds`: whether the proof's equation does, if the prover has looked already. */
  prove(
    values: TensorValues,
    statement: Statement,
    options: ProveStatement,
  ): Promise<{ readonly proof: object; readonly holds?: boolean }>
  close(): Promise<void>
}

/** The commitments of an execution, by side. */
export type Committed = { readonly [S in "input" | "output"]?: bigint | undefined }

/** Where a key comes from: a trapdoor that was drawn here, or powers of tau, with the head of the ceremony to come. */
export type KeyOrigin =
  | "dev"
  | { readonly head: CeremonyHead; readonly powers: PowersOfTau; readonly engine: KernelEngine }

/** `C`: its circuit, `H`: what it holds of a proving key, `K`: its verification key, checked. */
export interface System<
  C extends CircuitBase = CircuitBase,
  H = unknown,
  K = CheckedFacts<KeyFacts & { readonly proofSystem: string }>,
> {
  /** Whether a side may be committed to. */
  readonly commits: boolean
  forms(graph: IntGraph): SystemForms
  link(linking: Linking, forms: SystemForms): C
  /** Its lookup argument, if it has one. */
  lookup(circuit: C): Lookup | undefined
  boundary(circuit: C): readonly BoundaryRows[]

  /** Every wire of an honest execution, with a random challenge where there is one. */
  witness(circuit: C, values: TensorValues): Witness
  /** Wires beside those of gadgets that a forger moves. */
  targets(circuit: C, perKind: number, pick: Pick): readonly Target[]
  /** Whether the forger may choose the inverses of queries of a wire as it likes. */
  isFree(circuit: C, wire: number): boolean
  /** Where outputs and words differ from the values they show. */
  differences(circuit: C, compared: Compared): readonly string[]

  commit(circuit: C, values: TensorValues, salts: Salts): Committed
  /** What its key is made of. @throws CountersignError for a key that is too large to make or to prove with */
  keyQueries(circuit: C): KeyQueries
  /** The proving key of evaluated queries. */
  writeKey(circuit: C, points: KeyPoints, origin: KeyOrigin): Promise<Uint8Array>
  /**
   * Reads a proving key; `residentBytes` as for `open`.
   * @throws FileError for a damaged or foreign file, or another circuit's
   */
  readKey(circuit: C, provingKey: ProvingKey, residentBytes?: number): Promise<H>
  contentOf(held: H): KeyContent
  /** Sections of a key whose verification key is `key`. */
  sections(circuit: C, provingKey: ProvingKey, key: K): Promise<KeySections>
  /** Bytes that a proof takes, about; null where nobody knows. */
  memory(circuit: C): number | null
  /** @throws CountersignError if a proof cannot be made here */
  checkProvable(circuit: C, options: MemoryOptions): void
  open(circuit: C, held: H, options: OpenSystem<K>): Promise<Backend>
}
