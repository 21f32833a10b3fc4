/**
 * The model as one self-contained circom template, for people who embed it in a circuit of their own.
 * It is written from the linker's own trace, so both routes describe the same gadgets on the same
 * combinations; range checks are by bits. Values of inputs and outputs are the model's integers.
 */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { checkThing } from "../arguments.js"
import { circuitsFolder, compileGadgets } from "../circuit/gadgets/circom.js"
import { type GadgetUse, gadgetArray, gadgetCall } from "../circuit/gadgets/families.js"
import { reduceGadgets } from "../circuit/gadgets/reduce.js"
import type { WireLc } from "../circuit/link/builder.js"
import { NONE, planGadgets } from "../circuit/plan/plan.js"
import { InvariantError, printable, UsageError } from "../errors.js"
import { depthOf } from "../ops/program.js"
import type { Circuit } from "../systems/index.js"
import { linkPlain } from "../systems/plain/boundary.js"

/** Terms per statement: circom's parser recurses over long sums. */
const termsPerLine = 16
/**
 * Linear results become signals where that saves this many terms each: a source of a million terms is more than circom's
 * compiler takes in its four gigabytes, and linear constraints are what it then removes itself.
 */
const nonzerosPerRow = 64

/** Whether a circuit can leave for other tools. @throws UsageError for private weights */
export function requireFixed({ weights, graph }: Circuit): void {
  if (weights === "fixed") return
  throw new UsageError({
    what: "a circuit with private weights is none for other tools: it is proven with a challenge and a commitment of its own",
    where: `model \`${graph.name}\``,
    fix: "Compile the model with fixed weights, which the file would show",
  })
}

/**
 * Writes the circuit of a model as circom source; the template is called `CountersignModel`.
 * @throws UsageError for private weights, which are proven with a challenge: circom has none
 */
export async function exportCircom(circuit: Circuit): Promise<string> {
  checkThing("circuit", circuit, "circuit")
  requireFixed(circuit)
  const { graph } = circuit
  const plan = planGadgets(graph)
  const gadgets = reduceGadgets(plan.uses, await compileGadgets(plan.uses))
  const names = new Map<number, string>()
  const declarations: string[] = []
  const body: string[] = []
  const layout = (name: string, kind: string, first: number, count: number) => {
    declarations.push(`    signal ${kind} ${name}[${count}];`)
    for (let i = 0; i < count; i++) names.set(first + i, `${name}[${i}]`)
  }
  const size = (tensor: number) => graph.tensors[tensor].lo.length
  // the linker's wire order: one, outputs, context, inputs
  let firstOutput = 1
  for (const [i, { tensor }] of graph.outputs.entries()) {
    layout(`output${i}`, "output", firstOutput, size(tensor))
    firstOutput += size(tensor)
  }
  let firstInput = firstOutput + 1
  for (const [i, { tensor }] of graph.inputs.entries()) {
    layout(`input${i}`, "input", firstInput, size(tensor))
    firstInput += size(tensor)
  }

  const term = (wire: number, coefficient: number): string => {
    const name = wire === 0 ? "1" : names.get(wire)
    if (name === undefined) throw new InvariantError(`wire ${wire} has no name`)
    return `${coefficient} * ${name}`
  }
  let sums = 0
  const sum = (lc: WireLc, offset: number): string => {
    const terms = Array.from(lc.wires, (wire, j) => term(wire, lc.coefficients[j]))
    if (offset !== 0) terms.push(`${offset}`)
    if (terms.length <= termsPerLine) return terms.length > 0 ? terms.join(" + ") : "0"
    const variable = `sum${sums++}`
    body.push(`    var ${variable} = 0;`)
    for (let j = 0; j < terms.length; j += termsPerLine) {
      body.push(`    ${variable} += ${terms.slice(j, j + termsPerLine).join(" + ")};`)
    }
    return variable
  }
  // a table is written once, however many gadgets read it
  const arrays = new Map<string, string>()
  const arrayOf = (use: GadgetUse): string | undefined => {
    const values = gadgetArray(use)
    if (values === undefined) return undefined
    const name = arrays.get(values) ?? `table${arrays.size}`
    const length = use.parameters.length - (use.kind.scalars ?? 0)
    if (!arrays.has(values)) declarations.push(`    var ${name}[${length}] = ${values};`)
    arrays.set(values, name)
    return name
  }
  let components = 0
  let [lists, hinted] = [0, 0]
  let defined = 0
  linkPlain(graph, plan, gadgets, {
    publicInputs: true, // inputs are signals of the template; whether they are public is the embedder's choice
    nonzerosPerRow,
    trace: {
      gadget(use, operands, offset, output) {
        const component = `g${components++}`
        body.push(`    component ${component} = ${gadgetCall(use, arrayOf(use))};`)
        use.kind.inputs(use.parameters).forEach((input, j) => {
          body.push(`    ${component}.${input} <== ${sum(operands[j], offset)};`)
        })
        if (output !== NONE) names.set(output, `${component}.${use.kind.outputs[0]}`)
      },
      define(wire, lc) {
        const value = sum(lc, 0)
        const name = names.get(wire) ?? `linear${defined++}`
        if (!names.has(wire)) {
          body.push(`    signal ${name};`)
          names.set(wire, name)
        }
        body.push(`    ${name} <== ${value};`)
      },
      bits(node, indices, first) {
        const [name, depth] = [`bits${hinted++}`, depthOf(node)]
        body.push(`    signal ${name}[${indices.length}][${depth}];`)
        for (const [i, index] of indices.entries()) {
          const [at, bit] = [`${name}index${i}`, `${name}[${i}][v]`]
          body.push(
            `    var ${at} = ${sum(index, -node.lo)};`,
            `    var ${at}sum = 0;`,
            `    for (var v = 0; v < ${depth}; v++) {`,
            `        ${bit} <-- ${at} == v ? 1 : 0;`,
            `        ${bit} * (${at} - v) === 0;`,
            `        ${at}sum += ${bit};`,
            "    }",
            `    ${at}sum === 1;`,
          )
          for (let v = 0; v < depth; v++) names.set(first + i * depth + v, `${name}[${i}][${v}]`)
        }
      },
      free({ window, count }, keys, wires) {
        for (let first = 0, from = 0; first < wires.length; first += count + window, from += window) {
          const [list, place] = [`keys${lists}`, `place${lists++}`]
          body.push(`    var ${list}[${window}];`)
          for (let j = 0; j < window; j++) body.push(`    ${list}[${j}] = ${sum(keys[from + j], 0)};`)
          // hints, which gadgets then check
          body.push(
            `    var ${place}[${window}];`,
            `    for (var i = 0; i < ${window}; i++) {`,
            `        ${place}[i] = 0;`,
            `        for (var j = 0; j < ${window}; j++) {`,
            `            ${place}[i] += ${list}[j] - ${list}[i] > 0 ? 1 : 0;`,
            "        }",
            "    }",
          )
          for (let i = 0; i < count + window; i++) {
            if (wires[first + i] === NONE) continue
            const name = `${i < count ? "falling" : "mark"}${hinted++}`
            if (i < count)
              body.push(
                `    var ${name}key = 0;`,
                `    for (var i = 0; i < ${window}; i++) {`,
                `        ${name}key = ${place}[i] == ${i} ? ${list}[i] : ${name}key;`,
                "    }",
              )
            const hint = i < count ? `${name}key` : `${place}[${i - count}] < ${count} ? 1 : 0`
            body.push(`    signal ${name};`, `    ${name} <-- ${hint};`)
            names.set(wires[first + i], name)
          }
        }
      },
    },
  })
  const files = ["range.circom", ...new Set(plan.uses.map((use) => use.kind.file))]
  const sources = files.map((file) =>
    readFileSync(join(circuitsFolder, file), "utf8").replace(/^(pragma|include).*\n/gm, ""),
  )
  const header = [
    "pragma circom 2.2.0;",
    "",
    `// Model ${circuit.model}, exported by countersign. Precision ${graph.precision}.`,
    ...graph.inputs.map(
      ({ name, lo, bits: width, tensor }, i) =>
        `// input${i}: \`${printable(name)}\`, integers in [${lo}, ${lo} + 2^${width}), scale ${graph.tensors[tensor].scale}`,
    ),
    ...graph.outputs.map(
      ({ name, tensor }, i) => `// output${i}: \`${printable(name)}\`, scale ${graph.tensors[tensor].scale}`,
    ),
    "",
  ]
  const template = ["template CountersignModel() {", ...declarations, ...body, "}", ""]
  return [...header, ...sources, ...template].join("\n")
}
