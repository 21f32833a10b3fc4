/** The contracts against the texts of the standards: what is called, answered, logged and refused. */
import { Interface } from "ethers"
import { expect, test } from "vitest"
import { artifact } from "../support/chain.js"

const commitment =
  "(bytes32 modelHash, bytes32 circuitHash, bytes32 vkHash, bytes4 proofSystemId, string uri)"

/** As the standards have them, and selectors as others computed them from those texts, where they are known. */
const texts: Record<string, [text: string, selector?: string][]> = {
  // ERC-7992; its error `ModelDeprecated` has an event's name, which no compiler takes
  ModelRegistry: [
    [`function registerModel(${commitment}) returns (uint256)`, "0x88e9606f"],
    [`function updateModel(uint256, ${commitment})`, "0x871f5cce"],
    ["function deprecateModel(uint256)", "0xb0453384"],
    [`function getModel(uint256) view returns (${commitment}, bool, address)`, "0x6d361694"],
    [`event ModelRegistered(uint256 indexed, address indexed, ${commitment})`],
    [`event ModelUpdated(uint256 indexed, ${commitment}, ${commitment})`],
    ["event ModelDeprecated(uint256 indexed)"],
    ["error ModelNotFound(uint256)"],
    ["error NotModelOwner(uint256, address)"],
  ],
  // ERC-7992, then ERC-8274, in which `verify` may change something
  InferenceVerifier: [
    ["function verifyInference(uint256, bytes32, bytes, bytes)", "0x80b171ef"],
    ["function proofSystemOf(uint256) view returns (bytes4)"],
    ["function registry() view returns (address)"],
    ["event InferenceVerified(uint256 indexed, bytes32 indexed, bytes, address indexed)"],
    ["error InvalidProof()"],
    ["error ModelMismatch()"],
    ["error InputCommitmentMismatch()"],
    ["error OutputMismatch()"],
    ["error UnsupportedProofSystem(bytes4)"],
    ["error VerificationRefused_ModelDeprecated(uint256)"],
    ["function verify(bytes32, bytes32, bytes, bytes) view returns (bool)", "0xfc2b4271"],
    ["function proofSystem() view returns (string)"],
    ["function proofProfile() view returns (bytes32)"],
  ],
  Erc7007Verifier: [["function verify(bytes, bytes, bytes) view returns (bool)"]],
  // ERC-5267
  SignOffBook: [
    [
      "function eip712Domain() view returns (bytes1, string, string, uint256, address, bytes32, uint256[])",
      "0x84b0196e",
    ],
  ],
}

test.each(Object.entries(texts))("%s is called as the standards say", (name, expected) => {
  const own = new Interface(artifact(name).abi as never)
  // whoever expects a view is content with a pure function
  const has = own.fragments.map((fragment) => fragment.format("minimal").replace(" pure ", " view "))
  for (const [text, selector] of expected) {
    const [fragment] = new Interface([text]).fragments
    expect(has).toContain(fragment.format("minimal"))
    if (selector) expect(own.getFunction(selector)?.selector).toBe(selector)
  }
})

test("the half of ERC-7007 that a token adds makes up its interface id", () => {
  const token = new Interface([
    texts.Erc7007Verifier[0][0],
    "function addAigcData(uint256, bytes, bytes, bytes)",
  ])
  const selectors = ["verify", "addAigcData"].map((name) => BigInt(token.getFunction(name)?.selector ?? 0))
  expect(selectors[0] ^ selectors[1]).toBe(0x702c55a6n)
})

test.each([
  ["Erc8004Validator", "validationResponse(bytes32,uint8,string,bytes32,string)", "3d659a96"],
  ["Erc8004Validator", "getValidationStatus(bytes32)", "ff2febfc"],
  ["Erc8183Evaluator", "complete(uint256,bytes32,bytes)", "d75bbdf3"],
])("%s calls %s", (name, signature, selector) => {
  expect(new Interface([`function ${signature}`]).fragments[0].format("sighash")).toBe(signature)
  expect(new Interface([`function ${signature}`]).getFunction(signature)?.selector).toBe(`0x${selector}`)
  // PUSH4
  expect(artifact(name).bytecode).toContain(`63${selector}`)
})
