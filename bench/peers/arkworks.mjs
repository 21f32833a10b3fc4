/** The native prover of this folder, built by cargo on first use; nothing else needs Rust. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { runProcess } from "./process.mjs"

const source = fileURLToPath(new URL("./arkworks/", import.meta.url))
const target = fileURLToPath(new URL("../../.cache/peers/arkworks/", import.meta.url))

/** Path of the program. @throws Error if cargo is not there, or with what it says */
export async function arkworksProver(say) {
  const path = join(target, "release", "zkey-prover")
  say(existsSync(path) ? "cargo looks whether its prover is up to date" : "cargo builds its prover")
  // in its folder, where .cargo/config.toml is
  await runProcess("cargo", ["build", "--release", "--locked"], {
    cwd: source,
    env: { CARGO_TARGET_DIR: target },
  })
  return path
}
