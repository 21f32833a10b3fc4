/**
 * The proof systems that have ceremonies, told apart by the first bytes of a key file, its magic and its version: who
 * contributes has nothing else.
 */
import type { ByteSource } from "../circuit/formats/source.js"
import { FileError } from "../errors.js"
import type { CeremonyProtocol } from "../setup/ceremony/protocol.js"
import { groth16Ceremony } from "./groth16/ceremony.js"
import { architectureCeremony, mirageCeremony } from "./mirage/ceremony.js"

/** A transcript is each system's own, and given back to it alone. */
const protocols = [
  mirageCeremony,
  architectureCeremony,
  groth16Ceremony,
] as unknown as readonly CeremonyProtocol[]

/** That of a key file. @throws FileError for any other file */
export async function ceremonyOfFile(source: ByteSource): Promise<CeremonyProtocol> {
  const start = await source.read(0, Math.min(8, source.size))
  const letters = String.fromCharCode(...start.subarray(0, 4))
  const version = start.length < 8 ? 0 : new DataView(start.buffer, start.byteOffset).getUint32(4, true)
  const ofMagic = protocols.filter(({ magic }) => magic === letters)
  // of another version the container says that it is unknown
  const found = ofMagic.find((protocol) => protocol.version === version) ?? ofMagic[0]
  if (found) return found
  throw new FileError({
    what: "is no proving key that people can contribute to",
    where: "proving key",
    expected: `a file that begins with ${[...new Set(protocols.map(({ magic }) => `\`${magic}\``))].join(" or ")}`,
    given: JSON.stringify(letters),
  })
}
