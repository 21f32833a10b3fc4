/**
 * What would help with a node that is refused. A lowering says why it refuses in its own words; what its owner can do
 * about it depends on the kind of reason alone, and there are few kinds. So they are listed here, once: operators by
 * name, where ONNX has them and we do not, and reasons by the words that all lowerings use for them.
 */
import type { Node } from "../model/graph.js"

const cut = "end the model before it with option `outputs`"

/** ONNX's operators that no proof of ours has, by what they are for. */
const absent: readonly (readonly [names: string, help: string])[] = [
  [
    "Bernoulli Multinomial RandomNormal RandomNormalLike RandomUniform RandomUniformLike",
    "It is random: draw outside of the model, and give what was drawn as an input",
  ],
  [
    "NonMaxSuppression NonZero Unique Compress RoiAlign MaxRoiPool",
    `The shape of what it gives depends on values: it belongs to what comes after the model, so ${cut}`,
  ],
  [
    "ConcatFromSequence SequenceAt SequenceConstruct SequenceEmpty SequenceErase SequenceInsert SequenceLength SequenceMap SplitToSequence Optional OptionalGetElement OptionalHasElement ZipMap",
    `There are tensors only, no sequences, maps or optional values: export without it, or ${cut}`,
  ],
  [
    "RegexFullMatch StringConcat StringNormalizer StringSplit TfIdfVectorizer LabelEncoder DictVectorizer CategoryMapper",
    "There are no strings in a proof: prepare the input outside of the model, and give it numbers",
  ],
  [
    "Adagrad Adam Gradient Momentum SoftmaxCrossEntropyLoss NegativeLogLikelihoodLoss",
    "It is part of training: export the model for inference",
  ],
  [
    "BlackmanWindow DFT HammingWindow HannWindow MelWeightMatrix STFT ImageDecoder",
    "It prepares an input: do that outside of the model, and give it what comes out",
  ],
]

const helpOf = new Map(absent.flatMap(([names, help]) => names.split(" ").map((name) => [name, help])))

/** What would help where an operator is not known. */
export function remedyOf({ operator, domain }: Pick<Node, "operator" | "domain">): string {
  if (/Grad$/.test(operator)) return "It is part of training: export the model for inference"
  if (domain.startsWith("com.microsoft"))
    return `It is a fusion of onnxruntime: export the model before that optimizes it, or ${cut}`
  const known = domain === "" || domain === "ai.onnx.ml" ? helpOf.get(operator) : undefined
  if (known) return known
  return domain === ""
    ? `Write it as other operators before export (a converter to another opset may), or ${cut}`
    : `It is an operator of somebody's own: write it as operators of ONNX before export, or ${cut}`
}

/** Reasons by their words, the first that fits. */
const remedies: readonly (readonly [reason: RegExp, help: string])[] = [
  [
    /depends on the model's input/,
    "Make it a constant: fix the dimensions of all inputs and simplify the model (onnxsim), which folds what follows from shapes",
  ],
  [/ is (no|a) constant|of constants\b/, "Fold what is constant before export (onnxsim does)"],
  [
    /activations (rounds|wraps)|a cast of .* wraps|of integer activations/,
    "Cast to float before it, or export the model in float",
  ],
  [
    /element type|`(string|bfloat16|complex\d+)`/,
    "Convert the tensor to float32, float16 or an integer type before export",
  ],
  [
    /is not supported|is one too many|is missing|no (starts|ends|axes|pads|shape) (is|are) given/,
    "Convert the model to a recent opset (onnx.version_converter), or export without it; docs/OPERATORS.md says what is taken",
  ],
  [/\(at most|deeper than|too large/, "Use a smaller one: another size of input, or fewer elements"],
  [
    /shape|broadcast|dimension|\baxis\b|\baxes\b|\bfit\b|differ|spatial|channels|\bheads\b/,
    "Shapes follow from those of the inputs: check open dimensions (option `dimensions`), and simplify the model with fixed ones (onnxsim)",
  ],
  [
    /not a (finite )?number|division by zero/,
    "Check the weights: export the model from a healthy checkpoint",
  ],
]

/** What would help with a reason; undefined where the reason says all. */
export const remedyFor = (reason: string): string | undefined =>
  remedies.find(([words]) => words.test(reason))?.[1]
