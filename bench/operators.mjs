/**
 * Writes docs/OPERATORS.md from the operators' own limits; with --print, to standard output instead.
 *
 *   npm run operators
 */
import { writeFileSync } from "node:fs"
import { defaults } from "../dist/defaults.js"
import { activationNames } from "../dist/model/keras/activations.js"
import { layers } from "../dist/model/keras/layers.js"
import { operations } from "../dist/model/keras/operations.js"
import { limits } from "../dist/model/limits.js"
import { graphOperators } from "../dist/model/tfjs/graph-operators.js"
import { microsoftOperators, operators } from "../dist/ops/lower.js"
import { describeLimit } from "../dist/ops/operators/limits.js"
import { mlOperators } from "../dist/ops/operators/ml/index.js"

const cell = (parts) => parts.join("; ") || "—"
const table = (head, rows) =>
  [`| ${head} | limits |`, "|---|---|", ...rows.map(([name, parts]) => `| ${name} | ${cell(parts)} |`)].join(
    "\n",
  )
const byName = (entries) => [...entries].sort(([a], [b]) => (a < b ? -1 : 1))
const onnx = (known) =>
  table(
    "operator",
    byName(Object.entries(known)).map(([name, { limits: list }]) => [name, list.map(describeLimit)]),
  )
const count = (n) => n.toLocaleString("en")

const page = `# Operators

What \`importOnnx\`, \`importTfjs\`, \`importKeras\` and \`lower\` take. This page is made of the operators' own data by
\`npm run operators\`; test/ops/limits.test.ts compares the two and has every limit below refused.

## All models

- Every shape is known once open dimensions have a value; an open first dimension is 1. An input has elements.
- An attribute, input or output that an operator's lowering does not know is refused, not ignored.
- Where the meaning of an operator changed between opsets, the one of the opset that the file names is taken.
- Constants alone are folded, in double precision, whatever the operator. What depends on the model's input is an
  *activation*.
- Element types: floats of 16, 32 and 64 bits and bfloat16, integers of 8 to 64 bits, bool; constants also of 2 and 4
  bits. No strings but labels, no complex numbers or 8-bit floats; no sequences or maps but those of ZipMap, no optional
  or sparse tensors; no functions of the model's own, no data in other files.
- Subgraphs are those of If, Loop and Scan: their nodes are in order, and what they do not define is looked for in the graphs
  around them. Loops and sequences are unrolled, with all nodes of all iterations within the limits below.
- A file has at most ${count(limits.bytes)} bytes and ${count(limits.nodes)} nodes, a tensor at most ${limits.dimensions} dimensions and ${count(limits.elements)} elements.
- What reading, lowering and quantizing may cost is limited for each: ${count(defaults.budget.elements)} numbers held and
  ${count(defaults.budget.work)} steps, and for every number that the file holds itself ${defaults.elementsPerNumber} numbers and ${count(defaults.workPerNumber)} steps more.

## ONNX

${onnx(operators)}

\`Constant\` is read as a tensor (\`value\`) or as \`value_int(s)\` and \`value_float(s)\`.

### Of the domain \`com.microsoft\`

${onnx(microsoftOperators)}

### Of the domain \`ai.onnx.ml\`

${onnx(mlOperators)}

What only compares its inputs with constants, as trees do, does so exactly (docs/decisions/models.md). Strings are the labels
that a classifier, LabelEncoder or CategoryMapper gives: the output is the place of a name, and the layout has the names.

## Layers of Keras

Models of tfjs (\`model.json\` of a LayersModel), \`.keras\` files of Keras 3, and whole models in HDF5 (\`.h5\`) of Keras 2
and 3: \`Sequential\` and functional ones, also within each other, with layers and models that are called several times.
Weights of tfjs are float32, float16, int32, uint16, uint8 or bool, or quantized to uint8 or uint16. Layers compute in
floats of any size. A call has no \`training\` and no masks; classes and functions of a model's own are refused.

${table(
  "layer",
  byName(layers.entries()).map(([name, { limits: list }]) => [name, list]),
)}

Activations: ${activationNames.map((name) => `\`${name}\``).join(", ")}.

Functions of Keras 3 between layers (\`keras.ops\`, operators of Python), by their class: ${[...operations.keys()].map((name) => `\`${name}\``).join(", ")}.

## Operators of TensorFlow in a GraphModel

The \`model.json\` of a GraphModel of tfjs holds a graph of TensorFlow; what its outputs do not need is left out. Axes, sizes
and the bounds of slices are constants. Batch normalization in training is taken for what Keras's layer normalization makes
of it. No control flow, no functions, no strings.

${[...Object.keys(graphOperators)]
  .sort()
  .map((name) => `\`${name}\``)
  .join(", ")}.
`

if (process.argv.includes("--print")) process.stdout.write(page)
else writeFileSync(new URL("../docs/OPERATORS.md", import.meta.url), page)
