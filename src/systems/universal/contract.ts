/**
 * The Solidity verifier of one PLONK or FFLONK key: the contract that snarkjs writes, and one of ours that inherits
 * it. snarkjs's takes public signals as they come, also those that are not below r, each of which is another name for
 * one that is; a caller who reads integers out of such signals would read what was not proven. Ours takes integers,
 * looks that each is in the range of the layout, makes the signals itself, and so says what `verifyInference` of the
 * other systems' contracts says. It also asks for more gas than snarkjs's takes: that one says false where gas runs
 * out, which would make a valid proof look invalid.
 */
import { count, inputVisibility, type TensorLayout } from "../../statement/layout.js"
import { outputCount, signalCount } from "../../statement/statement.js"
import type { Hex } from "../../statement/strict.js"
import { startSnarkjs } from "../snarkjs/prover.js"
import { headerKey, type KeyForm } from "./form.js"
import type { UniversalKey } from "./verify.js"

/** Gas that snarkjs's contract takes, with a third to spare: so much, and so much for each signal. */
const gas = { plonk: [350_000, 2_000], fflonk: [280_000, 2_000] } as const

/** Source of both contracts. It is snarkjs's, so GPL-3.0 is its licence. */
export async function contractSource(
  form: KeyForm,
  key: UniversalKey,
  digest: Hex,
  isDev: boolean,
): Promise<string> {
  await using snarkjs = startSnarkjs()
  const zkey = headerKey(form, key)
  const [theirs] = await snarkjs.map([zkey], (worker, header) => worker.contractOf(form.proofSystem, header))
  return `${theirs.trimEnd()}\n\n${ourContract(key, digest, isDev)}`
}

function ourContract({ proofSystem, layout, model }: UniversalKey, digest: Hex, isDev: boolean): string {
  const [base, words] = proofSystem === "plonk" ? ["Plonk", "uint256"] : ["Fflonk", "bytes32"]
  const shown = inputVisibility(layout) === "public" ? layout.inputs : []
  const [outputs, signals] = [outputCount(layout), signalCount(layout)]
  const inputs = signals - outputs - 1
  const [fixedGas, signalGas] = gas[proofSystem]
  const given = words === "uint256" ? "proof" : "words"
  return `/// @notice Verifies what one model said, under one key of the proof system ${proofSystem}.
/// @dev    Written by \`countersign export solidity\` around the contract above, which snarkjs wrote, and under its
///         licence. Ask this one: the one above accepts integers in more than one form, and says false for want of gas.${isDev ? "\n///         RECEIPTS CAN BE FORGED under this key: it is for development." : ""}
contract ${base}Inference is ${base}Verifier {
    /// Digest of the key.
    bytes32 public constant KEY = ${digest};
    /// Digest of the integer model.
    bytes32 public constant MODEL = ${model};

    uint256 private constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// There are more integers than the model has, or fewer.
    error WrongCount(uint256 expected, uint256 given);
    /// A verdict takes more.
    error NotEnoughGas();

    /// Whether the model, run on some input (or the one shown), gives these integers, and somebody proved it for this
    /// context. Integers are flat in the order of the layout; one that is out of its range gives false.
    function ${isDev ? "verifyDevInference" : "verifyInference"}(
        bytes32 context,
        int256[] calldata outputs,
        int256[] calldata inputs,
        uint256[24] calldata proof
    ) external view returns (bool) {
        if (outputs.length != ${outputs}) revert WrongCount(${outputs}, outputs.length);
        if (inputs.length != ${inputs}) revert WrongCount(${inputs}, inputs.length);
        uint256[${signals}] memory signals;
${[...rangeLines("outputs", layout.outputs, 0), `        signals[${outputs}] = uint256(keccak256(abi.encode(context))) % R;`, ...rangeLines("inputs", shown, outputs + 1)].join("\n")}
${words === "uint256" ? "" : "        bytes32[24] memory words;\n        for (uint256 i = 0; i < 24; i++) words[i] = bytes32(proof[i]);\n"}        if (gasleft() < ${fixedGas + signalGas * signals}) revert NotEnoughGas();
        return this.verifyProof(${given}, signals);
    }
}
`
}

/** Signals from \`first\` on are the integers of some tensors, each in its range. */
function rangeLines(list: "outputs" | "inputs", tensors: readonly TensorLayout[], first: number): string[] {
  let at = 0
  return tensors.flatMap(({ shape, lo, bits }) => {
    const [from, to] = [at, at + count(shape)]
    at = to
    const most = BigInt(lo) + 2n ** BigInt(bits) - 1n
    return [
      `        for (uint256 i = ${from}; i < ${to}; i++) {`,
      `            int256 value = ${list}[i];`,
      `            if (value < ${lo} || value > ${most}) return false;`,
      `            signals[${first === 0 ? "i" : `${first} + i`}] = value < 0 ? R - uint256(-value) : uint256(value);`,
      "        }",
    ]
  })
}
