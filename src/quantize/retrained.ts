/**
 * Another training of a model, in the integers of one that was quantized before: every scale, shift and range is taken from
 * there, so that both have one architecture, one circuit and one proving key. What does not fit its range is refused, layer
 * by layer.
 */
import { invariant, ModelError, type Problem, UsageError } from "../errors.js"
import { weightsOf } from "../ops/linearmap.js"
import type { LinearNode, Program } from "../ops/program.js"
import { architectureDigest } from "./architecture.js"
import { type IntGraph, roundHalfUp } from "./integers/intgraph.js"
import {
  isPrivate,
  type SecretRun,
  secretCount,
  secretRuns,
  withoutSecrets,
  withSecrets,
} from "./integers/secrets.js"
import type { Provenances } from "./provenance.js"

/**
 * The model of an architecture with the weights of a traced program.
 * @throws UsageError for an architecture of fixed weights; ModelError for a program of another architecture, and for weights
 * out of range, with every layer that has some and how far out they are
 */
export function retrained(program: Program, secrets: Provenances, like: IntGraph): IntGraph {
  if (!isPrivate(like))
    throw new UsageError({
      what: "a model with fixed weights has no architecture that others could share",
      where: `model \`${like.name}\``,
      fix: "Give one with private weights as option `like`",
    })
  const digest = architectureDigest(program, secrets)
  if (like.program !== digest) throw anotherArchitecture(program, like, digest)
  const made = new Map(program.nodes.map((node) => [node.out, node]))
  const shifts = new Map<number, number>()
  for (const node of like.nodes) if (node.kind === "rescale") shifts.set(node.source, node.shift)
  const integers = new Float64Array(secretCount(like))
  const problems: Problem[] = []
  for (const run of secretRuns(like)) {
    const { node, window, start, count } = run
    const real = made.get(node.secret.of)
    invariant(real?.kind === "linear", "programs of one digest have the same maps")
    const shift = shifts.get(node.out)
    const centre = run.term === undefined && shift !== undefined ? 2 ** (shift - 1) : 0
    const values = realValues(run, real)
    const unit = unitOf(run, like)
    invariant(values.length === count, "programs of one digest have as many weights")
    const middle = window.lo + 2 ** (window.bits - 1)
    let out = 0
    for (let i = 0; i < count; i++) {
      const x = roundHalfUp(values[i] / unit) + centre
      integers[start + i] = x
      const room = x < middle ? middle - window.lo : window.lo + 2 ** window.bits - 1 - middle
      out = Math.max(out, Math.abs(x - middle) / room)
    }
    if (!(out <= 1)) problems.push(outOfRange(run, out))
  }
  if (problems.length === 0) return withSecrets(withoutSecrets(like), integers)
  throw new ModelError(
    {
      what: "the weights do not fit the ranges of that architecture:",
      where: program.name === "" ? "model" : `model \`${program.name}\``,
      fix: "Train it again with smaller weights there, or compile it to an architecture of its own, with keys of its own",
    },
    problems,
  )
}

/** What secret integers of a model stand for, in their order. */
function realValues({ node, term, count }: SecretRun, { terms, bias }: LinearNode): Float64Array {
  if (term !== undefined) return weightsOf(terms[term].map)
  const { inner } = node.secret.bias ?? { inner: 1 }
  return Float64Array.from({ length: count }, (_, i) => bias?.[i * inner] ?? 0)
}

/** What one integer is worth: of a weight so much that its products have the scale of the sum. */
function unitOf({ node, term }: SecretRun, { tensors }: IntGraph): number {
  const { scale } = tensors[node.out]
  return term === undefined ? scale : scale / tensors[node.terms[term].source].scale
}

function outOfRange({ node, term }: SecretRun, out: number): Problem {
  const { name, operator } = node.origin
  const what = term === undefined ? "bias" : "weight"
  const reason = Number.isFinite(out)
    ? `a ${what} is ${out.toPrecision(3)} times what its range has room for`
    : `a ${what} is no number that its range has room for`
  return { node: name, operator, where: `node \`${name}\`, operator \`${operator}\``, reason }
}

/** Says where two architectures differ, as far as layers with weights tell. */
function anotherArchitecture(program: Program, like: IntGraph, digest: string): ModelError {
  const { inputs, outputs } = program
  const list = (all: readonly { readonly name: string }[]) => all.map(({ name }) => `\`${name}\``).join(", ")
  const said = [
    ["inputs", list(like.inputs), list(inputs)],
    ["outputs", list(like.outputs), list(outputs)],
    ["program", like.program ?? "none", digest],
  ]
  const [what, expected, given] = said.find(([, one, other]) => one !== other) ?? said[2]
  return new ModelError({
    what: `is of another architecture: its ${what} ${what === "program" ? "without weights is another" : "are others"}`,
    where: program.name === "" ? "model" : `model \`${program.name}\``,
    expected,
    given,
    fix: "Only a model that differs in its weights alone, and was lowered by the same version, shares circuit and keys. Compile it to an architecture of its own",
  })
}
