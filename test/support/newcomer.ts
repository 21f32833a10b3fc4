/**
 * An example as somebody copies it: its folder, out of the installed package, in an empty project, where the commands of
 * its README run as they stand. What npm would put into node_modules/.bin is there, and `npx` finds it without asking
 * anybody.
 */
import { execFile } from "node:child_process"
import { chmodSync, cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs"
import { createRequire } from "node:module"
import { delimiter, join } from "node:path"
import { installed, root } from "./installed.js"

const require = createRequire(import.meta.url)

export interface Newcomer {
  /** The project; whoever asked for it removes `above`. */
  readonly folder: string
  /** Environment in which `npx` and its commands are found. */
  readonly environment: NodeJS.ProcessEnv
  /** Blocks of code of the README, by language, in order. */
  blocks(language: string): readonly string[]
  /** Runs lines in a shell, which stops at the first that fails. @throws Error with what it printed */
  shell(lines: string, more?: NodeJS.ProcessEnv): Promise<string>
  /** Checks scripts, typed by their comments, against the types of what is installed. @throws Error with what is wrong */
  types(...scripts: readonly string[]): Promise<string>
  /** A file of the project. */
  path(name: string): string
}

/**
 * @param name a folder of examples/
 * @param above where the package is installed: somebody else's project, in which this one is a folder
 */
export function newcomer(name: string, above = installed()): Newcomer {
  const folder = join(above, `my-${name}`)
  const path = (name: string) => join(folder, name)
  const examples = join(above, "node_modules/countersign/examples")
  const readme = readFileSync(join(examples, name, "README.md"), "utf8")
  const bin = join(folder, ".bin")
  mkdirSync(bin, { recursive: true })
  symlinkSync("../node_modules", path("node_modules"))
  writeFileSync(path("package.json"), JSON.stringify({ private: true, type: "module" }))
  const program = (name: string, script: string) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${script} "$@"\n`)
    chmodSync(join(bin, name), 0o755)
  }
  const node = `exec "${process.execPath}"`
  program("countersign", `${node} "${join(above, "node_modules/countersign/dist/cli.js")}"`)
  program("solcjs", `${node} "${join(root, "node_modules/solc/solc.js")}"`)
  program("anvil", `${node} "${require.resolve("@foundry-rs/anvil/bin.mjs")}"`)
  program("npx", "exec")
  cpSync(join(examples, name), folder, { recursive: true })
  const environment = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` }
  const shell: Newcomer["shell"] = (lines, more = {}) =>
    new Promise((resolve, reject) => {
      const options = { cwd: folder, env: { ...environment, ...more }, maxBuffer: 2 ** 26 }
      execFile("bash", ["-euo", "pipefail", "-c", lines], options, (error, stdout, stderr) => {
        if (error) reject(new Error(`${error.message}\n${stdout}${stderr}`))
        else resolve(stdout)
      })
    })
  return {
    folder,
    environment,
    path,
    shell,
    blocks: (language) =>
      [...readme.matchAll(new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``, "g"))].map(([, code]) => code),
    types(...scripts) {
      const compilerOptions = {
        allowJs: true,
        checkJs: true,
        noEmit: true,
        strict: true,
        noUnusedLocals: true,
        skipLibCheck: true,
        module: "nodenext",
        target: "es2022",
        types: ["node"],
      }
      writeFileSync(path("tsconfig.json"), JSON.stringify({ compilerOptions, files: scripts }))
      return shell(`"${join(root, "node_modules/.bin/tsc")}" -p .`)
    },
  }
}
