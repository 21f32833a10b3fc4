/**
 * The proof systems that have ceremonies, told apart by the first bytes of a key file: who contributes has nothing
 * else.
 */
import type { ByteSource } from "../circuit/formats/source.js"
import { FileError } from "../errors.js"
import type { CeremonyProtocol } from "../setup/ceremony/protocol.js"
import { groth16Ceremony } from "./groth16/ceremony.js"
import { mirageCeremony } from "./mirage/ceremony.js"

/** A transcript is each system's own, and given back to it alone. */
const protocols = [mirageCeremony, groth16Ceremony] as unknown as readonly CeremonyProtocol[]

/** The one that a circuit or a transcript names. */
export function ceremonyOf(proofSystem: string): CeremonyProtocol | undefined {
  return protocols.find((protocol) => protocol.proofSystem === proofSystem)
}

/** That of a key file. @throws FileError for any other file */
export async function ceremonyOfFile(source: ByteSource): Promise<CeremonyProtocol> {
  const letters = String.fromCharCode(...(await source.read(0, Math.min(4, source.size))))
  const found = protocols.find(({ magic }) => magic === letters)
  if (found) return found
  throw new FileError({
    what: "is no proving key that people can contribute to",
    where: "proving key",
    expected: `a file that begins with ${protocols.map(({ magic }) => `\`${magic}\``).join(" or ")}`,
    given: JSON.stringify(letters),
  })
}
