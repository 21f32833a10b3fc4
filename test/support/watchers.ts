/** Watchers with a disk that outlives them, as text, and what they are to find on a chain. */
import { sideDigests } from "#src/attest/index.js"
import {
  beginning,
  type Contracts,
  type EscrowRequest,
  type Judge,
  type Place,
  parsePlace,
  planDeliver,
  planRequest,
  stateOf,
  type Terms,
  type WatchEvent,
  type WatchOptions,
  watchOnce,
} from "#src/chain/index.js"
import { type Scene, soon } from "./requests.js"

/** Answer 0 is the model's. */
export const judgeOf =
  (scene: Scene): Judge =>
  ({ output }) =>
    output === sideDigests(scene.statement(), scene.oracle.key.layout).output
      ? { verdict: "right", reason: "the model says the same" }
      : { verdict: "wrong", reason: "the model says something else" }

export const mine = (scene: Scene, blocks: number) =>
  scene.provider.send("anvil_mine", [`0x${blocks.toString(16)}`])
export const stateIn = async ({ contracts }: Scene, { id }: Pick<EscrowRequest, "id">) =>
  (await stateOf(contracts, id)).state

/** A request that was answered with something. */
export async function delivered(scene: Scene, answer: number, terms: Partial<Terms> = {}) {
  const { contracts, client, operator } = scene
  const request = await scene.agreed(terms)
  await (await planRequest(contracts, client, request)).send(soon)
  const attestation = await scene.attested(request, answer)
  await (await planDeliver(contracts, operator, request, attestation)).send(soon)
  return request
}

/** A watcher. Each look begins with what is on its disk. */
export function watcherOf(
  scene: Scene,
  options: WatchOptions = {},
  contracts: Contracts = scene.contracts,
  signer = scene.challenger,
) {
  const events: WatchEvent[] = []
  let disk = JSON.stringify(beginning(contracts))
  const all: WatchOptions = {
    confirmations: 3,
    sending: soon,
    onEvent: (event) => void events.push(event),
    save: (place: Place) => {
      disk = JSON.stringify(place)
    },
    ...options,
  }
  return {
    events,
    said: ({ id }: { readonly id: string }) =>
      events.filter((event) => event.id === id).map(({ what }) => what),
    told: (what: WatchEvent["what"]) =>
      events.filter((event) => event.what === what).map(({ reason }) => reason),
    all,
    place: () => parsePlace(disk, contracts),
    async look(by: Judge = judgeOf(scene)) {
      await watchOnce(contracts, signer, parsePlace(disk, contracts), by, all)
    },
  }
}
