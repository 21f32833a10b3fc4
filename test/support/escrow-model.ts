/**
 * The smallest model of an escrow: who locked what, and whom each end pays, as the table of IEscrow says. Every call is
 * made on a chain and on the model. Whatever the model did not foresee is an error: a call that is refused or not, a
 * credit, a balance, a payment, a state.
 */
import { AbiCoder, keccak256, TypedDataEncoder, ZeroAddress } from "ethers"
import { registryModes, type Step, signerModes, Tally } from "./escrow-steps.js"
import {
  accounts,
  blocked,
  blocking,
  charging,
  committedJson,
  lying,
  names,
  recalling,
  reentering,
  refusing,
  type Stage,
  seizing,
} from "./escrow-world.js"
import { hash32 } from "./groth16-oracle.js"
import { digestOfWords, states, types } from "./settlement.js"

interface Attested {
  readonly attestation: Record<string, unknown>
  readonly digest: string
  readonly honest: boolean
}
interface Made {
  readonly id: string
  readonly terms: Record<string, unknown>
  readonly client: number
  readonly operator: number
  readonly token: number
  readonly price: bigint
  readonly damages: bigint
  readonly costs: bigint
  readonly registry: number
  readonly convictable: boolean
  state: string
  deadline: number
  challenger: number
  delivered: Attested | null
}

/** Of the node, whatever was asked. */
type Answer = string & { readonly timestamp: string; readonly status: string }

const yes = 0
const early = 1
const [ofRegistry, ofHostileRegistry] = [1, 2]
const live = ["Requested", "Delivered", "Challenged"]
const amounts = [1000n, 70n, 0n, 1n, 10n ** 15n, 33n]
const gas = `0x${(3_000_000).toString(16)}`
const abi = AbiCoder.defaultAbiCoder()
const hex = (value: bigint | number) => `0x${value.toString(16)}`
const sum = (values: readonly bigint[]) => values.reduce((total, value) => total + value, 0n)

export class World {
  readonly tally = new Tally()
  private requests: Made[] = []
  private credits: bigint[][] = []
  private paid: bigint[][] = []
  /** What tokens gave to the escrow or took from it, of their own accord. */
  private surplus: bigint[] = []
  private modes: number[] = []
  private frozen = new Map<string, number>()
  private recalled = false
  private registryMode = yes
  private lies = false
  /** Whether the re-entering token calls back, and which have called back while money moved. */
  private armed = false
  private calledBack = new Set<string>()
  private clock = 0
  private fresh = ""
  private calls = 0

  constructor(private readonly stage: Stage) {}

  /** Makes the steps in a world as it was at first, then lets each party alone get out, `first` before the others. */
  async run(steps: readonly Step[], first: number): Promise<void> {
    if (this.fresh !== "") await this.rpc("evm_revert", this.fresh)
    this.fresh = await this.rpc("evm_snapshot")
    this.clock = Number((await this.rpc("eth_getBlockByNumber", "latest", false)).timestamp)
    const zeros = () => names.map(() => this.stage.parties.map(() => 0n))
    ;[this.requests, this.credits, this.paid, this.surplus] = [[], zeros(), zeros(), names.map(() => 0n)]
    ;[this.modes, this.frozen, this.recalled, this.registryMode] = [
      this.stage.parties.map(() => yes),
      new Map(),
      false,
      yes,
    ]
    ;[this.lies, this.armed, this.calledBack] = [false, false, new Set()]
    for (const step of steps)
      if (this.requests.length > 0 || step.call === "request") await this[step.call](step)
    // whoever waits long enough has the truth
    if (this.lies) await this.lie()
    for (let i = 0; i < this.stage.parties.length; i++)
      await this.leave((first + i) % this.stage.parties.length)
    for (const [token, held] of names.map((_, i) => this.held(i)).entries())
      if (token !== seizing) this.same(held, this.surplus[token], `what is left of ${names[token]}`)
    const reentered = this.stage.escrow.interface.encodeErrorResult("Reentered", [])
    const answer = this.stage.account.encodeFunctionData("answer")
    for (const to of this.calledBack) {
      const said = await this.rpc("eth_call", { to, data: answer }, "latest")
      this.same(abi.decode(["bytes"], said)[0], reentered, `what ${to} heard when it called back`)
    }
  }

  // ---------------------------------------------------------------- the model

  private locked(r: Made): bigint {
    if (!live.includes(r.state)) return 0n
    const bond = r.state === "Requested" ? 0n : r.damages + r.costs
    return r.price + bond + (r.state === "Challenged" ? r.costs : 0n)
  }

  private held(token: number): bigint {
    const locked = this.requests.filter((r) => r.token === token).map((r) => this.locked(r))
    return sum(locked) + sum(this.credits[token]) + this.surplus[token]
  }

  /** The table of IEscrow. */
  private end(r: Made, state: string, by = -1, how = ""): void {
    const { price: P, damages: D, costs: K, client, operator, challenger } = r
    const challenged = r.state === "Challenged"
    const stake = challenged ? K : 0n
    const fault: [number, bigint][] = [
      [client, P + D],
      [by, K],
      [challenger, stake],
    ]
    const table: Record<string, [number, bigint][]> = {
      Expired: [[client, P]],
      Unchallenged: [[operator, P + D + K]],
      Proven: [[operator, P + D + K + stake]],
      Silent: [
        [client, P + D],
        [challenger, 2n * K],
      ],
      Convicted: fault,
      Equivocated: fault,
      Recalled: [
        [client, P],
        [operator, D + K + stake],
      ],
    }
    this.same(sum(table[state].map(([, amount]) => amount)), this.locked(r), `what ${state} pays`)
    for (const [party, amount] of table[state]) if (amount !== 0n) this.credits[r.token][party] += amount
    r.state = state
    this.tally.see([state, ...(how ? [how] : []), ...(challenged ? ["challenged"] : [])].join(", "))
    this.tally.see(`an end in ${names[r.token]}`)
  }

  private isRecalled(r: Made, time: number): boolean {
    if (r.registry === ofRegistry) return this.recalled && this.recalledAt <= time
    if (r.registry === ofHostileRegistry) this.tally.see(`a registry: ${registryModes[this.registryMode]}`)
    return r.registry === ofHostileRegistry && this.registryMode === early
  }
  private recalledAt = 0

  // ---------------------------------------------------------------- the steps

  private async request({ who, which, a, b, flaw }: Step): Promise<void> {
    const { s } = this.stage
    const client = who % this.stage.parties.length
    const operator = (client + 1 + which) % this.stage.parties.length
    const convictable = b !== 11 || !this.stage.commits
    const [token, registry] = [a % names.length, convictable ? b % 3 : 0]
    const [price, damages, costs] = [0, 3, 1].map((i) => amounts[(b + i * (1 + which)) % amounts.length])
    const windows = [1000, 60, 2]
    const time = this.clock + 1
    const terms = {
      client: this.stage.parties[client].address,
      operator: this.stage.parties[operator].address,
      token: this.stage.tokens[token],
      ...{ price, damages, costs },
      key: convictable ? s.subject.key : hash32("a key that commits"),
      model: s.subject.model,
      layout: keccak256(convictable ? s.subject.layoutJson : committedJson),
      registry: [ZeroAddress, s.registry.target, this.stage.registry.target][registry],
      modelId: s.modelId,
      policy: hash32("policy"),
      input: digestOfWords(s.subject.words().slice(s.subject.outputs)),
      deliverBy: flaw === 11 ? time - 1 : time + windows[(a + 1) % 3],
      challengeWindow: windows[which % 3],
      answerWindow: windows[b % 3],
      salt: hash32(`request ${this.requests.length}`),
    }
    const encoded = this.stage.escrow.interface.encodeFunctionData("idOf", [terms]).slice(10)
    const prefix = abi.encode(["uint256", "address"], [s.chainId, this.stage.escrow.target])
    const made: Made = {
      ...{ id: keccak256(prefix + encoded), terms, client, operator, token, price, damages, costs, registry },
      ...{ convictable, state: "None", deadline: Number(terms.deliverBy), challenger: -1, delivered: null },
    }
    const caller = flaw === 10 ? operator : client
    const pay = this.pay(made, price, flaw, caller)
    const refusing = [false, this.recalled, this.registryMode !== yes][registry]
    const may = flaw < 10 && pay.enough && !refusing
    await this.act(caller, "request", [terms, pay.gross], pay.value, may, time, () => {
      this.moved(token, pay.gross)
      this.requests.push(made)
      made.state = "Requested"
      this.credits[token][caller] += pay.over
    })
  }

  private async deliver({ who, which, when, b, flaw }: Step): Promise<void> {
    const r = this.requestOf(which)
    const time = this.timeOf(r, when)
    const delivered = this.attest(r, b % 2 === 0, flaw === 11 ? { input: hash32("other") } : {})
    const caller = flaw === 10 ? who % this.stage.parties.length : r.operator
    const pay = this.pay(r, r.damages + r.costs, flaw, caller)
    const signature = this.sign(r.operator, delivered.digest)
    const may =
      r.state === "Requested" &&
      caller === r.operator &&
      time <= r.deadline &&
      flaw !== 11 &&
      this.signs(r.operator)
    const args = [r.terms, delivered.attestation, signature, pay.gross]
    const only = { state: r.state === "Requested", caller: caller === r.operator, time: time <= r.deadline }
    if (Object.values(only).every(Boolean) && flaw !== 11 && r.operator >= accounts)
      this.tally.see(`a signer: ${signerModes[this.modes[r.operator]]}`)
    await this.act(caller, "deliver", args, pay.value, may && pay.enough, time, () => {
      this.moved(r.token, pay.gross)
      r.state = "Delivered"
      r.deadline = time + Number(r.terms.challengeWindow)
      r.delivered = delivered
      this.credits[r.token][caller] += pay.over
    })
  }

  private async challenge({ who, which, when, flaw }: Step): Promise<void> {
    const r = this.requestOf(which)
    const time = this.timeOf(r, when)
    const caller = who % this.stage.parties.length
    const pay = this.pay(r, r.costs, flaw, caller)
    const may = r.state === "Delivered" && time <= r.deadline && pay.enough
    await this.act(caller, "challenge", [r.terms, pay.gross], pay.value, may, time, () => {
      this.moved(r.token, pay.gross)
      r.state = "Challenged"
      r.deadline = time + Number(r.terms.answerWindow)
      r.challenger = caller
      this.credits[r.token][caller] += pay.over
    })
  }

  private async answer({ who, which, when, flaw }: Step): Promise<void> {
    const r = this.requestOf(which)
    const time = this.timeOf(r, when)
    const attested = r.delivered ?? this.attest(r, true)
    const shown = flaw === 10 ? this.attest(r, true, { evidence: hash32("other") }) : attested
    const words = this.stage.s.subject.words(flaw === 9 ? 1 : 0)
    const proof = this.stage.proof(`${r.terms.key}`, flaw === 8 ? hash32("context") : attested.digest)
    const may = this.provable(r) && time <= r.deadline && attested.honest && (flaw < 8 || flaw === 11)
    const args = [r.terms, shown.attestation, words, proof]
    await this.act(who % this.stage.parties.length, "answer", args, 0n, may, time, () =>
      this.isRecalled(r, time) ? this.end(r, "Recalled", -1, "proven") : this.end(r, "Proven"),
    )
  }

  private async convict({ who, which, when, flaw }: Step): Promise<void> {
    const r = this.requestOf(which)
    const caller = who % this.stage.parties.length
    const attested = r.delivered ?? this.attest(r, false)
    const shown = flaw === 10 ? this.attest(r, false, { evidence: hash32("other") }) : attested
    const words = this.stage.s.subject.words(flaw === 9 ? 1 : 0)
    const prover = this.stage.parties[flaw === 8 ? (caller + 1) % this.stage.parties.length : caller].address
    const context = keccak256(
      abi.encode(
        ["string", "uint256", "address", "bytes32", "address"],
        ["countersign.conviction", this.stage.s.chainId, this.stage.escrow.target, r.id, prover],
      ),
    )
    const json = this.layoutOf(r)
    const may = this.provable(r) && r.convictable && !attested.honest && flaw < 8
    const args = [
      r.terms,
      shown.attestation,
      flaw === 11 ? `${json}7d` : json,
      words,
      this.stage.proof(`${r.terms.key}`, context),
    ]
    await this.act(caller, "convict", args, 0n, may, this.timeOf(r, when), () =>
      this.end(r, "Convicted", caller),
    )
  }

  private async settle({ who, which, when }: Step): Promise<void> {
    const r = this.requestOf(which)
    const time = this.timeOf(r, 2 - when)
    const may = live.includes(r.state) && time > r.deadline
    await this.act(who % this.stage.parties.length, "settle", [r.terms], 0n, may, time, () => {
      if (r.state === "Requested") this.end(r, "Expired")
      else if (r.state === "Challenged") this.end(r, "Silent")
      else this.end(r, this.isRecalled(r, r.deadline) ? "Recalled" : "Unchallenged")
    })
  }

  private async equivocated({ who, which, when }: Step): Promise<void> {
    const r = this.requestOf(which)
    const filer = r.delivered ? this.frozen.get(r.delivered.digest) : undefined
    const may = this.provable(r) && filer !== undefined
    await this.act(
      who % this.stage.parties.length,
      "equivocated",
      [r.terms],
      0n,
      may,
      this.timeOf(r, when),
      () => this.end(r, "Equivocated", filer),
    )
  }

  /** Files what was delivered with what was delivered for another request, or with another word on the same. */
  private async file({ who, which, when, a, flaw }: Step): Promise<void> {
    const r = this.requestOf(which)
    const other = this.requestOf(a)
    if (r.delivered === null) return
    const one = r.delivered
    const { honest, attestation } = one
    const two = other === r || !other.delivered ? this.attest(r, !honest, attestation) : other.delivered
    const caller = who % this.stage.parties.length
    const by = other === r || !other.delivered ? r.operator : other.operator
    const signatures = [this.sign(r.operator, one.digest), this.sign(by, two.digest)]
    if (flaw === 8) signatures[1] = "0x1234"
    const open = [one, two].filter(({ digest }) => !this.frozen.has(digest))
    const signed = this.signs(r.operator) && (flaw !== 8 || !this.stage.parties[by].wallet)
    const same = by === r.operator && one.attestation.key === two.attestation.key
    const may = one.honest !== two.honest && same && r.convictable && flaw !== 9 && signed && open.length > 0
    const json = flaw === 9 ? "0x7d" : this.layoutOf(r)
    const args = [one.attestation, signatures[0], two.attestation, signatures[1], json]
    const file = () => {
      for (const { digest } of open) this.frozen.set(digest, caller)
    }
    await this.act(caller, "fileEquivocation", args, 0n, may, this.timeOf(r, when), file, this.stage.s.book)
  }

  private async withdraw({ who, a, flaw }: Step): Promise<void> {
    const party = who % this.stage.parties.length
    const token = a % names.length
    const self = flaw >= 8
    const refused = self && (token === 0 ? party === refusing : token === blocking && party === blocked)
    if (refused && this.credits[token][party] > 0n)
      this.tally.see(`a recipient who ${token === 0 ? "takes no ETH" : "is blocked"}`)
    await this.pull(party, token, self, !refused)
  }

  private async pull(party: number, token: number, self: boolean, takes: boolean): Promise<void> {
    const { address, sink } = this.stage.parties[party]
    const amount = this.credits[token][party]
    const short = this.held(token) < amount
    const may = takes && amount > 0n && !short && !(token === lying && this.lies)
    if (short) this.tally.see("a withdrawal from a short token")
    const args = [this.stage.tokens[token], self ? address : sink]
    await this.act(party, "withdraw", args, 0n, may, this.clock + 1, () => {
      this.moved(token, amount)
      if (token === 0 && self && party >= accounts) this.hear(address, "a recipient")
      this.credits[token][party] = 0n
      if (!self) this.paid[token][party] += this.arrives(token, amount)
    })
  }

  private async recall(): Promise<void> {
    if (this.recalled) return
    const data = this.stage.s.registry.interface.encodeFunctionData("deprecateModel", [this.stage.s.modelId])
    ;[this.recalled, this.recalledAt] = [true, this.clock + 1]
    await this.tell(`${this.stage.s.registry.target}`, data, this.stage.s.parties.owner.address)
  }

  /** A contract signs, or no longer, or lies, burns gas, re-enters. */
  private async mode({ who, a }: Step): Promise<void> {
    const party = accounts + (who % (this.stage.parties.length - accounts))
    this.modes[party] = a % 8
    await this.tell(this.stage.parties[party].address, this.stage.account.encodeFunctionData("set", [a % 8]))
  }

  private async registry({ a }: Step): Promise<void> {
    const mode = a % 7
    this.registryMode = mode
    await this.tell(
      `${this.stage.registry.target}`,
      this.stage.registry.interface.encodeFunctionData("set", [mode]),
    )
  }

  /** A token that says it failed from now on, or no longer. */
  private async lie(): Promise<void> {
    this.lies = !this.lies
    await this.tell(this.stage.tokens[lying], this.stage.token.encodeFunctionData("setLying"))
  }

  /** A token gives to the escrow, or takes from it what it says is held. */
  private async move({ a, b, flaw }: Step): Promise<void> {
    const amount = amounts[b % amounts.length]
    const takes = flaw >= 4 && this.held(seizing) >= amount
    const token = takes ? seizing : 1 + (a % (names.length - 1))
    this.surplus[token] += takes ? -amount : amount
    const method = takes ? "seize" : "mint"
    await this.tell(
      this.stage.tokens[token],
      this.stage.token.encodeFunctionData(method, [this.stage.escrow.target, amount]),
    )
  }

  /** What the re-entering token calls while it moves money from now on. */
  private async arm({ which, a }: Step): Promise<void> {
    const r = this.requestOf(which)
    const { address } = this.stage.parties[recalling]
    const calls: [string, unknown[]][] = [
      ["settle", [r.terms]],
      ["withdraw", [this.stage.tokens[reentering], address]],
      ["equivocated", [r.terms]],
      ["challenge", [r.terms, 0n]],
    ]
    const data = this.stage.escrow.interface.encodeFunctionData(...calls[a % calls.length])
    this.armed = true
    await this.tell(
      this.stage.tokens[reentering],
      this.stage.token.encodeFunctionData("setCallback", [this.stage.escrow.target, data]),
    )
  }

  /** One party, with nobody's help: it waits, ends whatever it is party to, and takes what is its own. */
  private async leave(party: number): Promise<void> {
    for (const r of this.requests) {
      if (!live.includes(r.state) || ![r.client, r.operator, r.challenger].includes(party)) continue
      await this.settle({ ...honest, call: "settle", who: party, which: this.requests.indexOf(r) })
      if (live.includes(r.state)) throw new Error(`party ${party} cannot leave ${r.state}`)
    }
    for (const [token] of names.entries()) {
      if (this.credits[token][party] === 0n) continue
      const short = this.held(token) < this.credits[token][party]
      await this.pull(party, token, false, true)
      if (!short) this.same(this.credits[token][party], 0n, `what party ${party} cannot withdraw`)
    }
  }

  // ------------------------------------------------------------------ helpers

  private requestOf(which: number): Made {
    return this.requests.at(which % this.requests.length) as Made
  }

  private layoutOf({ convictable }: Made): string {
    return convictable ? this.stage.s.subject.layoutJson : committedJson
  }

  private timeOf(r: Made, when: number): number {
    if (when === 0 || !live.includes(r.state)) return this.clock + 1
    return Math.max(this.clock + 1, r.deadline + when - 1)
  }

  /** Money of a token moved: if it was told to, it called the escrow meanwhile. */
  private moved(token: number, amount: bigint): void {
    if (token === reentering && this.armed && amount > 0n) this.hear(this.stage.tokens[token], "a token")
  }

  private hear(address: string, who: string): void {
    this.calledBack.add(address)
    this.tally.see(who === "a token" ? "a token that calls back" : "a recipient who calls back")
  }

  private provable(r: Made): boolean {
    return r.state === "Delivered" || r.state === "Challenged"
  }

  private arrives(token: number, gross: bigint): bigint {
    return token === charging ? gross - (gross * 10n) / 100n : gross
  }

  /** How somebody pays what is due: enough, or by a flaw too little (7), too much (8), or not what it says (9). */
  private pay({ token }: Made, due: bigint, flaw: number, payer: number) {
    const usual = token === charging ? 2n * due : due
    const gross = flaw === 7 ? (due === 0n ? 0n : due - 1n) : flaw === 8 ? usual + 40n : usual
    const value = (token === 0 ? gross : 0n) + (flaw === 9 ? 1n : 0n)
    const received = this.arrives(token, gross)
    const blocks = token === blocking && payer === blocked && gross !== 0n
    const lets = !blocks && !(token === lying && this.lies && gross !== 0n)
    if (blocks) this.tally.see("a payer who is blocked")
    if (!lets && !blocks) this.tally.see("a token that lies")
    return { gross, value, enough: flaw !== 9 && lets && received >= due, over: received - due }
  }

  private attest(r: Made, honest: boolean, changes: Record<string, unknown> = {}): Attested {
    const { subject, domain } = this.stage.s
    const { terms } = r
    const attestation = {
      ...{ model: terms.model, key: terms.key, layout: terms.layout, input: terms.input },
      ...{ policy: terms.policy, evidence: hash32("evidence"), operator: terms.operator, request: r.id },
      ...{ started: this.clock - 2, issued: this.clock - 1, validUntil: this.clock + 1_000_000 },
      ...changes,
      output: digestOfWords(subject.words(honest ? 0 : 1).slice(0, subject.outputs)),
    }
    const digest = TypedDataEncoder.hash(domain, { Attestation: types.Attestation }, attestation)
    return { attestation, digest, honest }
  }

  private sign(party: number, digest: string): string {
    return this.stage.parties[party].wallet?.signingKey.sign(digest).serialized ?? "0xab"
  }

  private signs(party: number): boolean {
    return this.modes[party] === yes
  }

  private same(given: unknown, expected: unknown, what: string): void {
    if (given !== expected) throw new Error(`${what}: ${given} instead of ${expected}`)
  }

  /** Makes a call, and compares all that can be seen with what the model says. */
  private async act(
    party: number,
    method: string,
    args: unknown[],
    value: bigint,
    may: boolean,
    time: number,
    effect: () => void,
    on = this.stage.escrow,
  ): Promise<void> {
    const data = on.interface.encodeFunctionData(method, args)
    const { wallet, address } = this.stage.parties[party]
    const call = wallet
      ? { from: address, to: on.target, data }
      : {
          from: this.stage.driver,
          to: address,
          data: this.stage.account.encodeFunctionData("act", [on.target, value, data]),
        }
    const done = await this.transact({ ...call, value: hex(value) }, time)
    if (done !== may) throw new Error(`${method} by party ${party} was ${done ? "accepted" : "refused"}`)
    this.tally[done ? "accepted" : "refused"]++
    const what = method === "fileEquivocation" ? "file" : method
    this.tally.see(`${what}: ${done ? "accepted" : "refused"}`)
    if (done) effect()
    await this.compare(method)
  }

  private async tell(to: string, data: string, from = this.stage.driver): Promise<void> {
    this.same(await this.transact({ from, to, data }, this.clock + 1), true, "what the world does")
    await this.compare("what the world does")
  }

  private async transact(call: object, time: number): Promise<boolean> {
    await this.rpc("evm_setNextBlockTimestamp", time)
    const { status } = await this.rpc("eth_sendTransactionSync", { ...call, gas })
    this.clock = time
    return status === "0x1"
  }

  private async compare(after: string): Promise<void> {
    const data = this.stage.probe.interface.encodeFunctionData("look", [
      this.stage.escrow.target,
      this.stage.tokens,
      this.stage.parties.map(({ address }) => address),
      this.stage.parties.map(({ sink }) => sink),
      this.requests.map(({ id }) => id),
    ])
    const seen: string = await this.rpc("eth_call", { to: this.stage.probe.target, data }, "latest")
    let at = 2 + 64 * 2
    const next = (expected: bigint, what: string) => {
      this.same(BigInt(`0x${seen.slice(at, at + 64)}`), expected, `${what} after ${after}`)
      at += 64
    }
    for (const [i, name] of names.entries()) {
      next(this.held(i), `${name} of the escrow`)
      for (const [j, credit] of this.credits[i].entries()) next(credit, `${name}: credit of party ${j}`)
      for (const [j, paid] of this.paid[i].entries()) next(paid, `${name}: paid to party ${j}`)
    }
    for (const [i, { state }] of this.requests.entries())
      next(BigInt(states.indexOf(state)), `state of request ${i}`)
  }

  private async rpc(method: string, ...params: unknown[]): Promise<Answer> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: ++this.calls, method, params })
    const headers = { "content-type": "application/json" }
    const answer = await (await fetch(this.stage.s.url, { method: "POST", headers, body })).json()
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`)
    return answer.result
  }
}

const honest: Step = { call: "request", who: 0, which: 0, when: 0, a: 0, b: 0, flaw: 0 }
