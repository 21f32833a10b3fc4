/** The package as npm would install it: its tarball, unpacked in an empty folder, with what it depends on. */
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const root = fileURLToPath(new URL("../..", import.meta.url))

/** Files of the tarball, as npm lists them. Scripts do not run: what is tested is what was built. */
export function packed(): string[] {
  const args = ["pack", "--dry-run", "--json", "--ignore-scripts"]
  const [{ files }] = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: "pipe" }))
  return (files as { path: string }[]).map(({ path }) => path)
}

/**
 * A new folder with the package and all other packages of this project in its node_modules; whoever asks for it
 * removes it.
 */
export function installed(): string {
  const folder = mkdtempSync(join(tmpdir(), "countersign-installed-"))
  const modules = join(folder, "node_modules")
  mkdirSync(modules)
  const link = (name: string) => {
    mkdirSync(dirname(join(modules, name)), { recursive: true })
    symlinkSync(join(root, "node_modules", name), join(modules, name))
  }
  for (const name of readdirSync(join(root, "node_modules"))) {
    if (name.startsWith("@"))
      for (const part of readdirSync(join(root, "node_modules", name))) link(`${name}/${part}`)
    else if (!name.startsWith(".")) link(name)
  }
  const args = ["pack", "--json", "--ignore-scripts", "--pack-destination", folder]
  const [{ filename }] = JSON.parse(execFileSync("npm", args, { cwd: root, encoding: "utf8", stdio: "pipe" }))
  execFileSync("tar", ["-xzf", join(folder, filename), "-C", folder])
  rmSync(join(folder, filename))
  renameSync(join(folder, "package"), join(modules, "countersign"))
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }))
  return folder
}
