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
import { scalarButterfly } from "./generate/butterfly.js"
import { relaxedExtension, scalarExtension } from "./generate/extension.js"
import { relaxedField } from "./generate/relaxed.js"
import { relaxedButterfly } from "./generate/relaxedbutterfly.js"
import { scalarField } from "./generate/scalar.js"

interface Variant {
  /** Generated sources by name. */
  readonly files: Readonly<Record<string, string>>
  readonly features: readonly string[]
}

const variants: Record<string, Variant> = {
  scalar: {
    files: {
      "fq.ts": scalarField("fq"),
      "fr.ts": scalarField("fr"),
      "fq2.ts": scalarExtension(),
      "butterfly.ts": scalarButterfly(),
    },
    features: ["threads"],
  },
  relaxed: {
    files: {
      "fq.ts": relaxedField("fq"),
      "fr.ts": relaxedField("fr"),
      "fq2.ts": relaxedExtension(),
      "butterfly.ts": relaxedButterfly(),
    },
    features: ["threads", "simd", "relaxed-simd"],
  },
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

/**
 * Algorithms for any field or curve are written once: fq/x.ts and fr/x.ts, g1/x.ts and g2/x.ts are taken from
 * the folders field/ and curve/ unless they are there themselves.
 */
const families: Readonly<Record<string, string>> = { fq: "field", fr: "field", g1: "curve", g2: "curve" }

async function readSource(file: string): Promise<string | null> {
  const read = (path: string) => readFile(join(assembly, path), "utf8").catch(() => null)
  const [folder, name] = file.split("/")
  if (name === "field.ts") return `export * from "../${folder}"\n`
  return (await read(file)) ?? (name && families[folder] ? read(join(families[folder], name)) : null)
}

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
      readFile: async (file) => files[file] ?? (await readSource(file)),
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
