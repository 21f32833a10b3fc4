/** `countersign attestation`: what becomes of attestations that were made. */
import { command } from "../options.js"
import { pruneCommand } from "./attestation-prune.js"
import { verifyAttestationCommand } from "./attestation-verify.js"

export const attestationCommand = command(
  "attestation",
  "check attestations, and tidy up what was kept of them",
)
  .addCommand(verifyAttestationCommand)
  .addCommand(pruneCommand)
