/**
 * What a proof system says of itself to compile, inspect, set up, prove and audit. Whoever does that asks the one
 * object of this type that its circuit names, and never which system it is. What it verifies by is its `verify.ts`.
 */
import type { R1cs, SparseRows } from "../circuit/formats/r1cs.js"
import type { ByteSource, ProvingKey } from "../circuit/formats/source.js"
import type { Block, BlockJson } from "../circuit/gadgets/poseidon.js"
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
import type { Claim, KeyPoints, KeyQueries } from "../setup/queries.js"
import type { DevSetupOptions } from "../setup/trapdoor.js"
import type { G1Json, G1Point, G2Point } from "../statement/points.js"
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

/** What a circuit takes: bytes of its proving key, and what each stage adds to the memory of the process. */
export interface Expectation {
  readonly constraints: number
  readonly nonzeros: number
  /** Points of the domain. */
  readonly domain: number
  readonly keyBytes: number
  readonly memory: StageFigures
  /** On the machine of docs/decisions/circuit.md. */
  readonly seconds: StageFigures
}
interface StageFigures {
  readonly compile: number
  readonly setup: number
  readonly prove: number
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
  /** By how much it is moved, where other moves give what may be: weights that nothing shows, in their ranges. */
  readonly moves?: readonly bigint[]
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

/** A point of a proving key that hides, as a file has it, and the one in G2 that must be of the same secret. */
export interface Mask {
  /** Of the secret. */
  readonly name: string
  readonly one: Uint8Array
  readonly two: G2Point
}

/** What a proving key says for verification. */
export interface KeyContent {
  readonly setup: Provenance
  /** Points of the verification key, as its JSON has them; all but the commitment where weights are private. */
  readonly points: object
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

/** The sections of a proving key, and single points of its verification key. */
export interface KeySections {
  readonly system: R1cs
  readonly alpha1: G1Point
  readonly beta2: G2Point
  readonly delta2: G2Point
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
  /** Of the commitment to private weights. */
  readonly blinding?: bigint | undefined
  readonly key: K
  /** Digest of the verification key. */
  readonly digest: Hex
}

export interface ProveStatement {
  readonly salts?: Salts | undefined
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Weights that only whoever runs a model knows, and that its key has a commitment to. */
export interface PrivateWeights<C, H> {
  /** Whether those of a circuit are, which then is one of an architecture. */
  isPrivate(circuit: C): boolean
  /** Whether the weights in a circuit are some that it can prove. @throws ModelError for a constant that is out of range */
  check(circuit: C): void
  /** The commitment under a blinding, or null where that is infinity. @throws FileError for points that are none; AbortError */
  commit(circuit: C, held: H, blinding: bigint, options: WorkOptions): Promise<G1Json | null>
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

export interface WorkOptions {
  readonly onProgress?: OnProgress | undefined
  readonly signal?: AbortSignal | undefined
}

/** Keys with a phase 2: evaluated queries, some of which contributors multiply afterwards. */
export interface ContributedKeys<C, H, K> {
  readonly kind: "contributed"
  /** What a key is made of. @throws CountersignError for a key that is too large to make or to prove with */
  queries(circuit: C): KeyQueries
  /** The proving key of evaluated queries. */
  write(circuit: C, points: KeyPoints, origin: KeyOrigin): Promise<Uint8Array>
  /** What the points that are held of a key have to be. */
  claims(circuit: C, held: H): readonly Claim[]
  /** Size of the domain that the rows of a key are on. */
  domainOf(circuit: C, held: H): number
  /**
   * Why a key all of whose points are right says of itself that it began as another one, or null: of formats in which
   * contributions are bound to their circuit by a hash of the first key alone.
   */
  beginning?(
    circuit: C,
    held: H,
    powers: PowersOfTau,
    engine: KernelEngine,
    options: WorkOptions,
  ): Promise<string | null>
  /** Sections of a key whose verification key is `key`. */
  sections(circuit: C, provingKey: ProvingKey, key: K): Promise<KeySections>
}

/** Keys that follow from circuit and powers of tau alone. Nobody contributes to one, and anyone makes it again. */
export interface UniversalKeys<C> {
  readonly kind: "universal"
  /**
   * Makes a proving key from powers of tau, or for development from a τ that is drawn here.
   * @throws UsageError for too few powers; CountersignError for a key that is too large to make; AbortError
   */
  make(circuit: C, options: DevSetupOptions & { readonly ptau?: PowersOfTau }): Promise<Uint8Array>
  /**
   * Makes a key that was read again, from powers of tau or else the powers in it, and compares every byte.
   * @returns how many points were compared
   * @throws FileError naming what differs
   */
  compare(circuit: C, provingKey: ProvingKey, ptau?: PowersOfTau, options?: DevSetupOptions): Promise<number>
}

/** Another program that has the equation of proofs. */
export interface Equation<K> {
  /** Why a proof is not valid for a statement, all of whose other checks are done (`examine`), or null. */
  problem(proof: object, statement: Statement, key: K): Promise<string | null>
  close(): Promise<void>
}

/** `C`: its circuit, `H`: what it holds of a proving key, `K`: its verification key, checked. */
export interface System<C extends CircuitBase = CircuitBase, H = unknown, K = unknown> {
  /** Whether a side may be committed to. */
  readonly commits: boolean
  forms(graph: IntGraph): SystemForms
  link(linking: Linking, forms: SystemForms): C
  /** Sizes of domains that keys of a circuit may have, if there are others than that of those which are made now. */
  domains?(circuit: C): readonly number[]
  /** What a circuit will take (`linked`: estimated from the plan), and what one does; of others nobody knows. */
  expects?(
    linking: Linking,
    forms: SystemForms,
    linked: { readonly nonzeros: number; readonly memory: number },
  ): Expectation
  takes?(circuit: C): Expectation
  /** A linked circuit as a file for who proves with it, and back; null for one of which nothing is kept. */
  keep?(circuit: C): Uint8Array | null
  /**
   * `circuit` has the Poseidon of this installation, if it commits to anything.
   * @throws FileError for a file, called `where`, that is damaged, stale or of another circuit
   */
  restore?(
    file: Uint8Array,
    circuit: Omit<Linking["circuit"], "gadgets"> & { readonly poseidon?: BlockJson },
    where: string,
  ): C
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
  readonly keys: ContributedKeys<C, H, K> | UniversalKeys<C>
  /**
   * Reads a proving key; `residentBytes` as for `open`.
   * @throws FileError for a damaged or foreign file, or another circuit's
   */
  readKey(circuit: C, provingKey: ProvingKey, residentBytes?: number): Promise<H>
  contentOf(held: H): KeyContent
  readonly weights?: PrivateWeights<C, H>
  /** What hides, of a key whose verification key is `key`; none where reading a key has seen to that. */
  masks(held: H, key: K): readonly Mask[]
  /** Bytes that a proof takes, about; null where nobody knows. */
  memory(circuit: C): number | null
  /** @throws CountersignError if a proof cannot be made here */
  checkProvable(circuit: C, options: MemoryOptions): void
  open(circuit: C, held: H, options: OpenSystem<K>): Promise<Backend>
  /** Solidity source of a key's verifier, where each key has its own; `isDev`: somebody can forge for it. */
  contract?(key: K, digest: Hex, isDev: boolean): Promise<string>
  /** Starts what has the equation, where the verifying half (verifiers.ts) has not. Whoever does closes it. */
  equation?(): Equation<K>
}
