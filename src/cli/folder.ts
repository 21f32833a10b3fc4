/**
 * The folder a model lives in between commands: the files of its circuit (compile/description.ts), proving.key
 * and verification.json; and of a model with private weights weights.secret, which is its owner's alone. Whoever else has
 * the folder without it can verify and audit.
 */
import { join } from "node:path"
import { parseCircuitInfo } from "../compile/description.js"
import { type NodeAccuracy, readNodeAccuracy } from "../compile/figures.js"
import {
  checkFolder,
  exists,
  makeFolder,
  readJson,
  readWhole,
  removeFile,
  sizeOfFile,
  writeWhole,
} from "../files.js"
import * as api from "../index.js"
import { withAnySecrets } from "../quantize/integers/secrets.js"
import { setupKind } from "../statement/provenance.js"
import { object } from "../statement/strict.js"

const names = {
  model: "model.bin",
  info: "circuit.json",
  gadgets: "gadgets.json",
  linked: "linked.bin",
  weights: "weights.secret",
  provingKey: "proving.key",
  verificationKey: "verification.json",
}

type Choices = Pick<api.CircuitInfo, "proofSystem" | "input" | "output" | "weights">

/**
 * Whether a circuit can be saved in a folder, as far as is known of it: asked before there is one.
 * @throws UsageError if nothing can be written there, or it holds another model or circuit
 */
export function checkCircuitFolder(folder: string, circuit: Choices & { readonly model?: string }): void {
  checkFolder(folder)
  if (!exists(join(folder, names.info))) return
  const held = readInfo(folder)
  const describe = (x: Choices & { readonly model?: string }) =>
    `${x.model ?? "a model"} in ${x.proofSystem} with ${x.weights === "private" ? "private weights, " : ""}${x.input} input and ${x.output} output`
  const { model = held.model } = circuit
  if (describe(held) === describe({ ...circuit, model })) return
  throw new api.UsageError({
    what: "the folder already holds another model",
    where: `\`${folder}\``,
    expected: describe(circuit),
    given: describe(held),
    fix: "Choose another output folder, or remove this one",
  })
}

/**
 * Saves a compiled circuit. How well private weights do says something of them, and is not in the folder.
 * @throws UsageError as `checkCircuitFolder`, or if the folder holds other private weights, and then it is left untouched
 */
export function saveCircuit(folder: string, circuit: api.Circuit, accuracy: api.Accuracy): api.CircuitInfo {
  const isPrivate = circuit.weights === "private"
  const info = { ...api.describeCircuit(circuit), ...(!isPrivate && { accuracy }) }
  checkCircuitFolder(folder, info)
  const path = join(folder, names.weights)
  if (isPrivate && exists(path)) checkSameWeights(path, circuit.graph)
  makeFolder(folder)
  if (isPrivate && !exists(path))
    writeWhole(path, api.writeWeights({ graph: circuit.graph }), { isPrivate: true })
  writeWhole(join(folder, names.model), api.serialize(circuit.graph))
  writeWhole(join(folder, names.gadgets), JSON.stringify(circuit.gadgets))
  writeWhole(join(folder, names.info), `${JSON.stringify(info, null, 2)}\n`)
  return info
}

/** Whether a file holds the weights of a model: it may hold their commitment besides. @throws UsageError, FileError */
function checkSameWeights(path: string, graph: api.IntGraph): void {
  const held = api.secretsOf(api.readWeights(readWhole(path), graph, `\`${path}\``).graph)
  const given = api.secretsOf(graph)
  if (held.every((x, i) => x === given[i])) return
  throw new api.UsageError({
    what: "the folder already holds the private weights of another model, of the same architecture",
    where: `\`${path}\``,
    fix: "Choose another output folder: they can share a proving key, and nothing else",
  })
}

/** Reads circuit.json. @throws UsageError, FileError */
export function readInfo(folder: string): api.CircuitInfo {
  const path = join(folder, names.info)
  return parseCircuitInfo(readJson(path, "Run `countersign compile` first"), `\`${path}\``)
}

/** Digest of what circuit.json says of the loss by quantization, or null if it says nothing. @throws UsageError, FileError */
export function accuracyReport(folder: string, digest: (report: unknown) => api.Hex): api.Hex | null {
  const given = object(readJson(join(folder, names.info)), names.info)
  return given.accuracy === undefined ? null : digest(given.accuracy)
}

/** What circuit.json says of single nodes, or nothing. @throws UsageError, FileError */
export function nodeAccuracy(folder: string): NodeAccuracy | undefined {
  const given = object(readJson(join(folder, names.info)), names.info)
  return given.accuracy === undefined
    ? undefined
    : readNodeAccuracy(given.accuracy, `\`${join(folder, names.info)}\`: accuracy`)
}

/** Sizes of the keys that are there. @throws UsageError */
export function keyBytes(folder: string) {
  return {
    provingKey: sizeOfFile(join(folder, names.provingKey)),
    verificationKey: sizeOfFile(join(folder, names.verificationKey)),
  }
}

/**
 * Rebuilds the circuit of a folder from its integer model. The gadgets are the installed ones, not the folder's:
 * what is set up or audited here must not depend on what somebody wrote there. `weights` is weights.secret, if they are
 * private and wanted.
 * @throws FileError if the model is not the one the folder was compiled for
 */
export async function loadCircuit(
  folder: string,
  onProgress?: api.OnProgress,
  weights?: Uint8Array,
): Promise<api.Circuit> {
  const path = (name: string) => join(folder, name)
  const circuit = readInfo(folder)
  const { model, info, gadgets } = names
  return api.rebuildCircuit(
    { model: readWhole(path(model)), circuit, ...(weights && { weights }) },
    {
      names: {
        model: path(model),
        circuit: path(info),
        gadgets: path(gadgets),
        weights: path(names.weights),
      },
      ...(onProgress ? { onProgress } : {}),
    },
  )
}

/**
 * Keeps what was linked beside the circuit, for proofs to come. Whoever cannot write there links again for each.
 * Setups, audits and verification never read it.
 */
export function keepLinked(folder: string, circuit: api.Circuit): void {
  const file = api.keepCircuit(circuit)
  if (file === null) return
  try {
    writeWhole(join(folder, names.linked), file)
  } catch (error) {
    if (!(error instanceof api.UsageError)) throw error
  }
}

/**
 * A circuit to prove with, of what was kept of it; linked anew, and kept, where nothing was or what was is damaged or of
 * something else.
 * @throws as `loadCircuit`
 */
async function loadLinked(
  folder: string,
  onProgress?: api.OnProgress,
): Promise<Pick<Owned, "circuit" | "relink">> {
  const linked = join(folder, names.linked)
  if (exists(linked)) {
    const [model, info] = [join(folder, names.model), join(folder, names.info)]
    try {
      const circuit = await api.rebuildCircuit(
        { model: readWhole(model), circuit: readInfo(folder), linked: readWhole(linked) },
        { names: { model, circuit: info, gadgets: join(folder, names.gadgets), linked } },
      )
      return { circuit, relink: () => linkAndKeep(folder, onProgress) }
    } catch (error) {
      if (!(error instanceof api.CountersignError)) throw error
    }
  }
  return { circuit: await linkAndKeep(folder, onProgress) }
}

async function linkAndKeep(folder: string, onProgress?: api.OnProgress): Promise<api.Circuit> {
  const circuit = await loadCircuit(folder, onProgress)
  keepLinked(folder, circuit)
  return circuit
}

/**
 * The architecture that a folder has, which another training may share.
 * @throws UsageError for a folder whose weights are not private; FileError
 */
export function loadArchitecture(folder: string): {
  readonly info: api.CircuitInfo
  readonly graph: api.IntGraph
} {
  const info = readInfo(folder)
  if (info.weights === undefined)
    throw new api.UsageError({
      what: "the weights are part of the circuit: no other training can share it",
      where: `\`${folder}\``,
      expected: "a folder that was compiled with --weights private",
    })
  const path = join(folder, names.model)
  const graph = api.deserialize(readWhole(path), `\`${path}\``)
  const digest = api.modelDigest(graph)
  if (digest === info.model) return { info, graph }
  throw new api.FileError({
    what: "the model is not the one that was compiled",
    where: `\`${path}\``,
    expected: info.model,
    given: digest,
  })
}

/** A circuit with whatever it takes to run and prove its model. */
export interface Owned {
  readonly circuit: api.Circuit
  /** Links anew where the circuit is what was kept of it: if no proof comes of that, somebody wrote something else. */
  readonly relink?: () => Promise<api.Circuit>
  /** Of the commitment to private weights, once there is one: what `openProver` takes. */
  readonly opening: { readonly blinding?: bigint }
  readonly commitment?: api.OpenCommitment
}

/**
 * The same for its owner, with the private weights if the model has any.
 * @throws as `loadCircuit`; UsageError for a folder without the weights
 */
export async function loadOwned(folder: string, onProgress?: api.OnProgress): Promise<Owned> {
  const info = readInfo(folder)
  if (info.weights === undefined) return { ...(await loadLinked(folder, onProgress)), opening: {} }
  const path = join(folder, names.weights)
  if (!exists(path))
    throw new api.UsageError({
      what: "the weights are private, and not in the folder: with what is in it one can verify and audit",
      where: `\`${path}\``,
      fix: "Its owner has the file, and can run the model and prove what it says",
    })
  const weights = readWhole(path)
  const circuit = await loadCircuit(folder, onProgress, weights)
  const { commitment } = api.readWeights(weights, circuit.graph, `\`${path}\``)
  return {
    circuit,
    opening: commitment ? { blinding: commitment.blinding } : {},
    ...(commitment && { commitment }),
  }
}

/**
 * The same for a client, who may not have the weights: with some of the architecture in their place, by which a statement
 * has the right input, and outputs that mean nothing.
 * @throws as `loadCircuit`
 */
export async function loadAsClient(folder: string, onProgress?: api.OnProgress): Promise<Owned> {
  if (readInfo(folder).weights === undefined) return await loadOwned(folder, onProgress)
  const circuit = await loadCircuit(folder, onProgress)
  const graph = withAnySecrets(circuit.graph, ({ lo, bits }) => lo + 2 ** (bits - 1))
  return { circuit: { ...circuit, graph }, opening: {} }
}

/**
 * Whether a key is of the private weights that a folder has: their commitment is kept beside them. What one says under
 * another model's key would seem wrong to everybody.
 * @throws UsageError if it is not
 */
export function requireOwnKey({ circuit, commitment }: Owned, key: api.VerificationKey): void {
  if (circuit.weights === "fixed") return
  const committed = "weights" in key.points ? key.points.weights : undefined
  if (commitment && committed && commitment.weights.every((x, i) => x === committed[i])) return
  throw new api.UsageError({
    what: "the verification key is not of the private weights in the folder",
    ...(committed && { expected: `a key with commitment ${committed.join(", ")}` }),
    given: commitment ? `weights with ${commitment.weights.join(", ")}` : "weights that are not committed to",
    fix: "Take the key that `countersign commit` made of these weights",
  })
}

/** Keeps the commitment to the weights of a folder beside them. @throws UsageError */
export function saveCommitment(folder: string, { graph }: api.Circuit, commitment: api.OpenCommitment): void {
  const bytes = api.writeWeights({ graph, commitment })
  writeWhole(join(folder, names.weights), bytes, { isPrivate: true, isDurable: true })
}

/**
 * Whether keys may be made for a folder.
 * @throws UsageError if it has some, which `force` would replace, or cannot be written
 */
export function checkKeysFolder(folder: string, force: boolean): void {
  checkFolder(folder)
  const held = [names.provingKey, names.verificationKey].filter((name) => exists(join(folder, name)))
  if (held.length === 0 || force) return
  throw new api.UsageError({
    what: `there are keys already: ${held.join(" and ")}, ${describeKey(folder)}`,
    where: `\`${folder}\``,
    fix: "Receipts made with them verify with them only. To replace them, say --force",
  })
}

/** What the verification key of a folder is, as far as it can be read. */
function describeKey(folder: string): string {
  try {
    const key = loadVerificationKey(verificationKeyPath(folder))
    return `${setupKind(key.setup)} key ${api.keyDigest(key)}`
  } catch {
    return "of which no verification key can be read"
  }
}

/** Saves both keys of a folder. */
export function saveKeys(folder: string, provingKey: Uint8Array, verificationKey: api.VerificationKey): void {
  writeWhole(join(folder, names.provingKey), provingKey)
  writeWhole(join(folder, names.verificationKey), keyText(verificationKey))
}

/** Saves the first key of a ceremony. A verification key of keys that were there is none of it. */
export function saveFirstKey(folder: string, provingKey: Uint8Array): void {
  writeWhole(join(folder, names.provingKey), provingKey)
  removeFile(join(folder, names.verificationKey))
}

/** A verification key as its file has it. */
export const keyText = (key: api.VerificationKey): string => `${JSON.stringify(key, null, 2)}\n`

const setupFirst = "Run `countersign setup` first"
/** Where the proving key lies. @throws UsageError if there is none */
export function provingKeyPath(folder: string): string {
  const path = join(folder, names.provingKey)
  if (exists(path)) return path
  throw new api.UsageError({ what: "does not exist", where: `\`${path}\``, fix: setupFirst })
}
export const loadVerificationKey = (path: string): api.VerificationKey =>
  api.parseVerificationKey(readJson(path, setupFirst))
/** The verification key of a folder, or null before its setup. @throws FileError */
export function heldKey(folder: string): api.VerificationKey | null {
  const path = verificationKeyPath(folder)
  return exists(path) ? loadVerificationKey(path) : null
}
/** The verification key of a folder as it stands there, unread; undefined if there is none. */
export function verificationJson(folder: string): unknown {
  const path = verificationKeyPath(folder)
  return exists(path) ? readJson(path, setupFirst) : undefined
}
export const verificationKeyPath = (folder: string): string => join(folder, names.verificationKey)
