/** Models and their recalls, and proofs of them behind the interfaces of standards. */
import { AbiCoder, concat, id, keccak256, toBeHex, ZeroAddress, ZeroHash } from "ethers"
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest"
import { compileSolidity } from "../../contracts/compile.js"
import { deploy } from "../../examples/chain.js"
import { artifact, register } from "../support/chain.js"
import { hash32 } from "../support/groth16-oracle.js"
import {
  answerWindow,
  challengeWindow,
  commitmentOf,
  costs,
  type Delivered,
  digestOfWords,
  price,
  provable,
  type Settlement,
  send,
  startSettlement,
  states,
} from "../support/settlement.js"

let s: Settlement
let fresh: string
beforeAll(async () => {
  s = await startSettlement()
})
afterAll(() => s?.close())
beforeEach(async () => {
  fresh = await s.provider.send("evm_snapshot", [])
})
afterEach(async () => {
  await s.provider.send("evm_revert", [fresh])
})

const coder = AbiCoder.defaultAbiCoder()
const commitmentType = "tuple(bytes32,bytes32,bytes32,bytes4,string)"
const idOf = (owner: string, commitment: ReturnType<typeof commitmentOf>): bigint =>
  BigInt(keccak256(coder.encode(["address", commitmentType], [owner, Object.values(commitment)])))
const system = "countersign-mirage-bn254-v1"

describe("a registered model", () => {
  const commitment = () => commitmentOf(provable("public", "another model"))

  test("has an id of its content and owner, so nobody takes another's", async () => {
    const { owner, stranger } = s.parties
    for (const who of [owner, stranger]) {
      const modelId = idOf(who.address, commitment())
      expect(await s.registry.modelIdOf(who.address, commitment())).toBe(modelId)
      expect(await s.attempt(who, s.registry, "getModel", [modelId])).toBe(`ModelNotFound(${modelId})`)
      await send(who, s.registry, "registerModel", [commitment()])
      const [stored, recalled, by] = await s.registry.getModel(modelId)
      expect([stored.toArray(), recalled, by]).toEqual([Object.values(commitment()), false, who.address])
      expect(await s.attempt(who, s.registry, "registerModel", [commitment()])).toBe(
        `ModelAlreadyRegistered(${modelId})`,
      )
    }
    const { owner: who } = s.parties
    for (const [field, to] of Object.entries({ circuitHash: ZeroHash, uri: "", proofSystemId: "0x00000000" }))
      expect(idOf(who.address, { ...commitment(), [field]: to })).not.toBe(idOf(who.address, commitment()))
  })

  test("is updated to a model of another id, and stays what it is", async () => {
    const { owner, stranger } = s.parties
    const newer = commitment()
    const args = [s.modelId, newer]
    expect(await s.attempt(stranger, s.registry, "updateModel", args)).toBe(
      `NotModelOwner(${s.modelId}, ${stranger.address})`,
    )
    expect(await s.attempt(owner, s.registry, "updateModel", [7n, newer])).toBe("ModelNotFound(7)")
    await send(owner, s.registry, "updateModel", args)
    const successor = idOf(owner.address, newer)
    expect(await s.registry.successorOf(s.modelId)).toBe(successor)
    expect((await s.registry.getModel(successor)).commitment.vkHash).toBe(newer.vkHash)
    const [stored, recalled] = await s.registry.getModel(s.modelId)
    expect([stored.vkHash, recalled]).toEqual([s.subject.key, false])
  })

  test("is recalled by its owner, once, for ever, at a time", async () => {
    const { owner, stranger } = s.parties
    expect(await s.attempt(stranger, s.registry, "deprecateModel", [s.modelId])).toBe(
      `NotModelOwner(${s.modelId}, ${stranger.address})`,
    )
    expect(await s.attempt(owner, s.registry, "deprecateModel", [7n])).toBe("ModelNotFound(7)")
    expect([await s.registry.isRecalled(s.modelId), await s.registry.recalledAt(s.modelId)]).toEqual([
      false,
      0n,
    ])
    await send(owner, s.registry, "deprecateModel", [s.modelId])
    expect([await s.registry.isRecalled(s.modelId), await s.registry.recalledAt(s.modelId)]).toEqual([
      true,
      BigInt(await s.now()),
    ])
    expect((await s.registry.getModel(s.modelId)).deprecated).toBe(true)
    expect(await s.attempt(owner, s.registry, "deprecateModel", [s.modelId])).toBe(
      `ModelIsDeprecated(${s.modelId})`,
    )
    expect(await s.registry.isRecalled(7n)).toBe(false)
  })
})

/** Words of the subject as the interfaces take them. */
const given = () => {
  const words = s.subject.words()
  const [outputs, inputs] = [words.slice(0, s.subject.outputs), words.slice(s.subject.outputs)]
  return {
    words,
    inputs,
    output: concat(outputs.map((word) => toBeHex(word, 32))),
    inputHash: digestOfWords(inputs),
    outputHash: digestOfWords(outputs),
  }
}
const context = hash32("context")
const points = () => s.subject.proof(context, s.subject.words())
const deployed = () => deploy(artifact("InferenceVerifier"), s.signer, s.registry.target, s.verifier.target)

describe("verifyInference of ERC-7992", () => {
  const encode = (of: string, inputs: bigint[], proof: bigint[]) =>
    coder.encode(["bytes32", "uint256[]", "uint256[10]"], [of, inputs, proof])

  test("says that a proof is valid by an event, and by an error why one is not", async () => {
    const contract = await deployed()
    const { inputs, output, inputHash } = given()
    const { stranger, owner } = s.parties
    const call = async (modelId: bigint, hash: string, out: string, proof: string) =>
      s.attempt(stranger, contract, "verifyInference", [modelId, hash, out, proof])
    const proof = encode(context, inputs, points())
    const sent = await (contract.connect(stranger) as typeof contract).verifyInference(
      s.modelId,
      inputHash,
      output,
      proof,
    )
    const { logs } = await sent.wait()
    expect(contract.interface.parseLog(logs[0])?.args.toArray()).toEqual([
      s.modelId,
      inputHash,
      output,
      stranger.address,
    ])
    const error = (name: string, args: unknown[] = []) => contract.interface.encodeErrorResult(name, args)
    expect(await call(s.modelId, hash32("x"), output, proof)).toBe(error("InputCommitmentMismatch"))
    expect(await call(s.modelId, inputHash, "0x", proof)).toBe(error("OutputMismatch"))
    expect(await call(s.modelId, inputHash, `${output}00`, proof)).toBe(error("OutputMismatch"))
    expect(await call(s.modelId, inputHash, output, encode(hash32("x"), inputs, points()))).toMatch(
      "InvalidProof",
    )
    const wrong = points().with(0, 1n)
    expect(await call(s.modelId, inputHash, output, encode(context, inputs, wrong))).toMatch("InvalidProof")
    expect(await call(7n, inputHash, output, proof)).toBe("ModelNotFound(7)")
    const others: [object, string][] = [
      [{ proofSystemId: "0x12345678" }, error("UnsupportedProofSystem", ["0x12345678"])],
      [{ modelHash: hash32("x") }, error("ModelMismatch")],
      [{ vkHash: hash32("x") }, `UnknownKey(${hash32("x")})`],
    ]
    for (const [changes, expected] of others) {
      const commitment = { ...commitmentOf(s.subject), ...changes }
      await send(owner, s.registry, "registerModel", [commitment])
      expect(await call(idOf(owner.address, commitment), inputHash, output, proof)).toBe(expected)
    }
    await send(owner, s.registry, "deprecateModel", [s.modelId])
    expect(await call(s.modelId, inputHash, output, proof)).toBe(
      error("VerificationRefused_ModelDeprecated", [s.modelId]),
    )
  })

  test("has the ids of the draft", async () => {
    const contract = await deployed()
    expect(await contract.proofSystemOf(s.modelId)).toBe(id(system).slice(0, 10))
    expect(await contract.registry()).toBe(s.registry.target)
    for (const [of, interfaceId] of [
      [contract, "0x5df65472"],
      [s.registry, "0xd28519b1"],
    ] as const)
      for (const [asked, expected] of [
        [interfaceId, true],
        ["0x01ffc9a7", true],
        ["0xffffffff", false],
      ] as const)
        expect(await of.supportsInterface(asked)).toBe(expected)
    // as ERC-165 makes them: the exclusive or of the selectors
    const xor = (of: typeof contract, names: string[]) =>
      names.reduce((sum, name) => sum ^ BigInt(of.interface.getFunction(name)?.selector ?? 0), 0n)
    expect(xor(contract, ["verifyInference", "proofSystemOf", "registry"])).toBe(0x5df65472n)
    expect(xor(s.registry, ["registerModel", "updateModel", "deprecateModel", "getModel"])).toBe(0xd28519b1n)
  })
})

describe("verify of ERC-8274", () => {
  const metadata = (modelId: bigint, of = context) => coder.encode(["uint256", "bytes32"], [modelId, of])
  const encode = (words: bigint[], proof: bigint[]) =>
    coder.encode(["uint256[]", "uint256[10]"], [words, proof])

  test("says whether a proof is valid", async () => {
    const contract = await deployed()
    const { words, inputHash, outputHash } = given()
    const proof = encode(words, points())
    const right = [inputHash, outputHash, metadata(s.modelId), proof]
    expect(await contract.verify(...right)).toBe(true)
    for (const [i, to] of [
      [0, hash32("x")],
      [1, hash32("x")],
      [2, metadata(s.modelId, hash32("x"))],
      [3, encode(words, points().with(0, 1n))],
      [3, encode(words.with(0, 1n), points())],
      [3, encode(words.slice(1), points())],
      [3, encode([...words, 0n], points())],
    ] as const)
      expect(await contract.verify(...right.with(i, to))).toBe(false)
    const { owner } = s.parties
    for (const changes of [{ proofSystemId: "0x12345678" }, { modelHash: hash32("x") }]) {
      const commitment = { ...commitmentOf(s.subject), ...changes }
      await send(owner, s.registry, "registerModel", [commitment])
      expect(await contract.verify(...right.with(2, metadata(idOf(owner.address, commitment))))).toBe(false)
    }
    await send(owner, s.registry, "deprecateModel", [s.modelId])
    expect(await contract.verify(...right)).toBe(false)
  })

  test("names its profile where it is", async () => {
    const contract = await deployed()
    expect(await contract.proofSystem()).toBe(system)
    expect(await contract.proofProfile()).toBe(id(system))
    expect(contract.interface.getFunction("verify")?.selector).toBe("0xfc2b4271")
  })

  test("is verify of ERC-7007 with the words apart", async () => {
    const adapter = await deploy(artifact("Erc7007Verifier"), s.signer, (await deployed()).target)
    const { inputs, output, inputHash } = given()
    const prompt = coder.encode(["uint256", "bytes32", "bytes32"], [s.modelId, inputHash, context])
    const proof = encode(inputs, points())
    expect(await adapter.verify(prompt, output, proof)).toBe(true)
    expect(await adapter.verify(prompt, `${output}00`, proof)).toBe(false)
    expect(await adapter.verify(prompt, "0x", proof)).toBe(false)
    const other = coder.encode(["uint256", "bytes32", "bytes32"], [s.modelId, inputHash, hash32("x")])
    expect(await adapter.verify(other, output, proof)).toBe(false)
    expect(await adapter.verify(prompt, output.replace(/.$/, "0"), proof)).toBe(false)
  })
})

/** What of ERC-8004 and ERC-8183 the adapters call. */
const foreign = `
// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;
contract Foreign {
    mapping(uint256 => address) public ownerOf;
    mapping(uint256 => address) public getAgentWallet;
    mapping(bytes32 => address) public validatorOf;
    mapping(bytes32 => uint256) public agentOf;
    bytes32 public requestHash;
    uint8 public response;
    bytes32 public responseHash;
    string public tag;
    address public caller;
    uint256 public jobId;
    bytes32 public reason;
    function setAgent(uint256 agentId, address owner, address wallet) external {
        (ownerOf[agentId], getAgentWallet[agentId]) = (owner, wallet);
    }
    /// By whoever owns the agent, with any hash that nobody took.
    function validationRequest(address validator, uint256 agentId, string calldata, bytes32 hash) external {
        require(ownerOf[agentId] == msg.sender && validatorOf[hash] == address(0));
        (validatorOf[hash], agentOf[hash]) = (validator, agentId);
    }
    function getValidationStatus(bytes32 hash)
        external view returns (address, uint256, uint8, bytes32, string memory, uint256)
    {
        return (validatorOf[hash], agentOf[hash], 0, 0, "", 0);
    }
    function validationResponse(bytes32 a, uint8 b, string calldata, bytes32 c, string calldata d) external {
        (requestHash, response, responseHash, tag, caller) = (a, b, c, d, msg.sender);
    }
    function complete(uint256 a, bytes32 b, bytes calldata) external { (jobId, reason, caller) = (a, b, msg.sender); }
}`

describe("a validator of ERC-8004", () => {
  const agentId = 42n
  const start = async () => {
    const registries = await deploy(compileSolidity({ "f.sol": foreign }, "Foreign"), s.signer)
    const { target } = registries
    const validator = await deploy(artifact("Erc8004Validator"), s.signer, target, target, s.escrow.target)
    const { operator, owner } = s.parties
    await send(owner, registries, "setAgent", [agentId, owner.address, operator.address])
    const ask = async (id: string, agent = agentId, hash?: string) => {
      const asked = hash ?? (await validator.requestHashOf(agent, id))
      await send(owner, registries, "validationRequest", [validator.target, agent, "", asked])
    }
    return { registries, validator, ask }
  }
  const settle = async (d: Delivered) => {
    await s.pass(challengeWindow + answerWindow)
    await send(s.parties.stranger, s.escrow, "settle", [d.terms])
  }
  const challenge = (d: Delivered) =>
    send(s.parties.challenger, s.escrow, "challenge", [d.terms, costs], costs)
  const answer = (d: Delivered) =>
    send(s.parties.operator, s.escrow, "answer", [
      d.terms,
      d.attestation,
      d.words,
      s.subject.proof(d.digest, d.words),
    ])

  test("says how requests ended that say something of the operator", async () => {
    const { registries, validator, ask } = await start()
    const { stranger, client } = s.parties
    const ends: [string, number, (d: Delivered) => Promise<unknown>][] = [
      ["countersign.proven", 100, answer],
      [
        "countersign.silent",
        0,
        async (d) => {
          await challenge(d)
          await settle(d)
        },
      ],
    ]
    for (const [tag, response, end] of ends) {
      const d = await s.delivered()
      await end(d)
      await ask(d.id)
      await send(stranger, validator, "respond", [agentId, d.terms])
      expect([await registries.tag(), await registries.response()]).toEqual([tag, BigInt(response)])
      expect(await registries.responseHash()).toBe(d.digest)
      expect(await registries.requestHash()).toBe(await validator.requestHashOf(agentId, d.id))
      expect(await registries.caller()).toBe(validator.target)
    }
    const terms = await s.terms()
    await send(client, s.escrow, "request", [terms, price], price)
    await s.pass(10_000)
    await send(stranger, s.escrow, "settle", [terms])
    await ask(await s.idOf(terms))
    await send(stranger, validator, "respond", [agentId, terms])
    expect(await registries.tag()).toBe("countersign.expired")
    expect(await registries.responseHash()).toBe(await s.idOf(terms))
  })

  test("says nothing of what nobody challenged, is not over, or is another agent's", async () => {
    const { registries, validator, ask } = await start()
    const { stranger, owner } = s.parties
    const d = await s.delivered()
    const nothing = (state: string) =>
      validator.interface.encodeErrorResult("NothingToSay", [d.id, states.indexOf(state)])
    const respond = (agent = agentId) => s.attempt(stranger, validator, "respond", [agent, d.terms])
    expect(await respond()).toBe(nothing("Delivered"))
    await settle(d)
    expect(await respond()).toBe(nothing("Unchallenged"))
    const proven = await s.delivered()
    await answer(proven)
    await send(owner, registries, "setAgent", [7n, owner.address, ZeroAddress])
    await ask(proven.id, 7n)
    expect(await s.attempt(stranger, validator, "respond", [7n, proven.terms])).toBe(
      validator.interface.encodeErrorResult("NotTheAgents", [7n, s.parties.operator.address]),
    )
  })

  test("gives nobody the merit of another agent, whoever took its hash first", async () => {
    const { registries, validator, ask } = await start()
    const { stranger, owner } = s.parties
    const d = await s.delivered()
    await answer(d)
    const respond = (agent: bigint) => s.attempt(stranger, validator, "respond", [agent, d.terms])
    const refusal = validator.interface.encodeErrorResult("NotAsked", [agentId, d.id])
    expect(await respond(agentId)).toBe(refusal)
    // an agent of somebody else's asks with the hash of this one
    await send(owner, registries, "setAgent", [666n, owner.address, ZeroAddress])
    await ask(d.id, 666n, await validator.requestHashOf(agentId, d.id))
    expect(await respond(agentId)).toBe(refusal)
    expect(await respond(666n)).toBe(validator.interface.encodeErrorResult("NotAsked", [666n, d.id]))
    // or asks another validator
    const other = await s.delivered()
    await answer(other)
    const hash = await validator.requestHashOf(agentId, other.id)
    await send(owner, registries, "validationRequest", [stranger.address, agentId, "", hash])
    expect(await s.attempt(stranger, validator, "respond", [agentId, other.terms])).toBe(
      validator.interface.encodeErrorResult("NotAsked", [agentId, other.id]),
    )
  })

  test("lets no agent escape from a fault by another wallet", async () => {
    const { registries, validator, ask } = await start()
    const { stranger, owner } = s.parties
    const d = await s.delivered()
    await ask(d.id)
    await challenge(d)
    await settle(d)
    await send(owner, registries, "setAgent", [agentId, owner.address, owner.address])
    await send(stranger, validator, "respond", [agentId, d.terms])
    expect([await registries.tag(), await registries.response()]).toEqual(["countersign.silent", 0n])
  })
})

test("an evaluator of ERC-8183 completes a job by a proof of what its client asked, and by nothing else", async () => {
  const commerce = await deploy(compileSolidity({ "f.sol": foreign }, "Foreign"), s.signer)
  const { client, stranger } = s.parties
  const evaluator = await deploy(artifact("Erc8183Evaluator"), client, commerce.target, s.verifier.target)
  const { words, inputHash, outputHash } = given()
  const about = [3n, s.subject.key, inputHash]
  const error = (name: string, args: unknown[] = []) => evaluator.interface.encodeErrorResult(name, args)
  const proofFor = async (jobId: bigint) => s.subject.proof(await evaluator.contextOf(jobId), words)
  const complete = async (jobId: bigint, given: bigint[], proof: bigint[]) =>
    s.attempt(stranger, evaluator, "complete", [jobId, given, proof])
  expect(await complete(3n, words, await proofFor(3n))).toBe(error("NothingExpected", [3n]))
  expect(await s.attempt(stranger, evaluator, "expect", about)).toBe(error("NotClient", [stranger.address]))
  await send(client, evaluator, "expect", about)
  expect(await s.attempt(client, evaluator, "expect", about)).toBe(error("AlreadySaid", [3n]))
  expect(await complete(3n, words.with(2, 1n), await proofFor(3n))).toBe(error("WrongWords"))
  expect(await complete(3n, words.slice(1), await proofFor(3n))).toBe(error("WrongWords"))
  for (const proof of [await proofFor(4n), (await proofFor(3n)).with(0, 1n)])
    expect(await complete(3n, words, proof)).toMatch("InvalidProof")
  await send(stranger, evaluator, "complete", [3n, words, await proofFor(3n)])
  expect([await commerce.jobId(), await commerce.reason(), await commerce.caller()]).toEqual([
    3n,
    outputHash,
    evaluator.target,
  ])
})

test("keys that anybody can forge for prove nothing here", async () => {
  const dev = provable("public", "dev", "public", { setup: "dev" })
  await register(s.verifier, dev.oracle.key, true)
  const contract = await deployed()
  const commitment = commitmentOf(dev)
  await send(s.parties.owner, s.registry, "registerModel", [commitment])
  const modelId = idOf(s.parties.owner.address, commitment)
  const { inputs, output, inputHash } = given()
  const proof = coder.encode(
    ["bytes32", "uint256[]", "uint256[10]"],
    [context, inputs, dev.proof(context, s.subject.words())],
  )
  expect(
    await s.attempt(s.parties.stranger, contract, "verifyInference", [modelId, inputHash, output, proof]),
  ).toBe(`DevKey(${dev.key})`)
})
