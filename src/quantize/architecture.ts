/**
 * The architecture of a model as far as it is decided before quantization: a program without its weights. Its digest tells
 * whether another training of a model is one of the same architecture, which then takes scales and ranges as they are.
 */
import { keccak_256 } from "@noble/hashes/sha3.js"
import { bytesToHex, utf8ToBytes } from "@noble/hashes/utils.js"
import { ofWeights } from "../ops/linearmap.js"
import type { Program, RealNode } from "../ops/program.js"
import type { Hex } from "../statement/strict.js"
import type { Provenances } from "./provenance.js"

const none = new Float64Array(0)

/**
 * keccak256 of a traced program without its weights. Names of tensors and nodes are not in it, but for inputs and outputs:
 * who trains a model again may call them otherwise.
 */
export function architectureDigest(program: Program, secrets: Provenances): Hex {
  const hash = keccak_256.create()
  const put = (value: unknown): void => {
    if (ArrayBuffer.isView(value)) {
      hash.update(utf8ToBytes(`${value.constructor.name} ${value.byteLength}:`))
      hash.update(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
    } else if (Array.isArray(value)) {
      hash.update(utf8ToBytes(`[${value.length}:`))
      for (const each of value) put(each)
    } else if (typeof value === "object" && value !== null) {
      const entries = Object.entries(value).filter(([name, each]) => name !== "origin" && each !== undefined)
      hash.update(utf8ToBytes(`{${entries.length}:`))
      for (const [name, each] of entries.sort(([a], [b]) => (a < b ? -1 : 1))) {
        put(name)
        put(each)
      }
    } else {
      const text = utf8ToBytes(Object.is(value, -0) ? "-0" : String(value))
      hash.update(utf8ToBytes(`${typeof value} ${text.length}:`))
      hash.update(text)
    }
  }
  put(program.tensors.map(({ shape }) => shape))
  put(program.nodes.map((node) => withoutWeights(node, secrets)))
  put(program.inputs)
  put(program.outputs)
  return `0x${bytesToHex(hash.digest())}`
}

function withoutWeights(node: RealNode, secrets: Provenances): unknown {
  const own = secrets.get(node.out)
  if (node.kind !== "linear" || !own) return node
  const { bias, terms, ...rest } = node
  return {
    ...rest,
    terms: terms.map(({ source, map }, t) => ({
      source,
      map: own.terms[t] ? ofWeights(map, none) : map,
    })),
    bias: own.bias ?? bias,
    secret: own.terms,
  }
}
