/**
 * Builds the WASM modules of the kernels: generates the field arithmetic, compiles it together with the
 * algorithms in assembly/, and writes one module for each variant. Run by `npm run build`.
 *
 *     node build.js <folder for the modules> [--text]
 *
 * The same sources give the same bytes: nothing here depends on time, place or machine.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import asc from "assemblyscript/asc"
import { scalarField } from "./generate/scalar.js"

interface Variant {
  /** Generated sources by name. */
  readonly files: Readonly<Record<string, string>>
  readonly features: readonly string[]
}

const variants: Record<string, Variant> = {
  scalar: { files: { "fq.ts": scalarField("fq"), "fr.ts": scalarField("fr") }, features: ["threads"] },
}

const assembly = fileURLToPath(new URL("../../kernels/assembly/", import.meta.url))

/** Options of the compiler: memory comes from outside and is shared; no run-time system, no static data. */
const options = [
  ...["--optimizeLevel", "3", "--noAssert", "--runtime", "stub"],
  ...[
    "--importMemory",
    "--sharedMemory",
    "--initialMemory",
    "1",
    "--maximumMemory",
    "65535",
    "--noExportMemory",
  ],
]

async function compile(name: string, text: boolean): Promise<Map<string, Uint8Array | string>> {
  const outputs = new Map<string, Uint8Array | string>()
  const { files, features } = variants[name]
  const enable = features.flatMap((feature) => ["--enable", feature])
  const { error, stderr } = await asc.main(
    [
      "index.ts",
      ...options,
      ...enable,
      "--outFile",
      `${name}.wasm`,
      ...(text ? ["--textFile", `${name}.wat`] : []),
    ],
    {
      readFile: async (file) =>
        files[file] ?? (await readFile(join(assembly, file), "utf8").catch(() => null)),
      writeFile: (file, contents) => {
        outputs.set(file, contents)
      },
      listFiles: () => [],
    },
  )
  if (error) throw new Error(`${error.message}\n${stderr.toString()}`)
  return outputs
}

export async function build(folder: string, text = false): Promise<void> {
  for (const name of Object.keys(variants)) {
    for (const [file, contents] of await compile(name, text)) {
      const path = join(folder, file)
      await mkdir(dirname(path), { recursive: true })
      await writeFile(path, contents)
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await build(process.argv[2], process.argv.includes("--text"))
}
