/**
 * Makes the page: LeNet of this folder is quantized and compiled, development keys are drawn, and vite bundles the code
 * with digests of all that in it. What comes out are plain files with relative addresses, for any server and any path.
 */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join, relative, sep } from "node:path"
import { build, type Plugin, transformWithOxc } from "vite"
import {
  type Circuit,
  compile,
  describeCircuit,
  importOnnx,
  keyDigest,
  parseSamples,
  quantize,
  serialize,
  setup,
  type VerificationKey,
} from "#src/index.js"
import { digits } from "../digits.js"
import type { FileName, Pinned, PinnedFile } from "./pin.js"
import { filesIn } from "./serve.js"

/** A compiled model with its keys. */
export interface Compiled {
  readonly files: Readonly<Record<FileName, Uint8Array>>
  readonly verificationKey: VerificationKey
  readonly circuit: Circuit
}

/** @param examples the folder `examples` */
export async function compileLenet(examples: string): Promise<Compiled> {
  const read = (name: string) => readFileSync(join(examples, "mnist-lenet", name))
  const graph = importOnnx(read("model.onnx"), { file: "model.onnx" })
  const { samples } = parseSamples(read("samples.json"), "samples.json", graph.inputs)
  const model = await quantize(graph, { samples })
  const circuit = await compile(model, { input: "private", output: "public", weights: "fixed" })
  const { provingKey, verificationKey } = await setup(circuit, { dev: true })
  const json = (value: unknown) => Buffer.from(JSON.stringify(value))
  return {
    files: {
      "model.bin": serialize(model),
      "circuit.json": json(describeCircuit(circuit)),
      "gadgets.json": json(circuit.gadgets),
      "proving.key": provingKey,
    },
    verificationKey,
    circuit,
  }
}

/** A digit of each class from those that no training saw. */
const samples = (): Pinned["samples"] => {
  const unseen = digits("test")
  return Array.from({ length: 10 }, (_, label) => {
    const pixels = unseen.find((digit) => digit.label === label)?.pixels ?? []
    return { label, pixels: Buffer.from(pixels.map((grey) => Math.round(255 * grey))).toString("base64") }
  })
}

const sha256 = (bytes: Uint8Array) => createHash("sha256").update(bytes).digest("hex")

/** What was made. */
export interface Page {
  readonly keyDigest: string
  readonly model: string
  /** Packages whose code is in it. */
  readonly packages: readonly string[]
}

/** Writes the page into `out`, which is emptied before. @param root this folder */
export async function makePage(
  { files, verificationKey }: Pick<Compiled, "files" | "verificationKey">,
  { root, out }: { readonly root: string; readonly out: string },
): Promise<Page> {
  const named = Object.entries(files).map(([name, bytes]): [string, PinnedFile] => {
    const digest = sha256(bytes)
    const path = `files/${name.replace(".", `-${digest.slice(0, 8)}.`)}`
    return [name, { path, bytes: bytes.length, sha256: digest }]
  })
  const pinned: Pinned = {
    model: verificationKey.model as Pinned["model"],
    keyDigest: keyDigest(verificationKey) as Pinned["keyDigest"],
    verificationKey,
    files: Object.fromEntries(named) as Pinned["files"],
    samples: samples(),
  }
  const packages = new Set<string>()
  rmSync(out, { recursive: true, force: true })
  await build({
    root,
    base: "./",
    configFile: false,
    logLevel: "warn",
    publicDir: false,
    define: { PINNED: JSON.stringify(pinned) },
    plugins: [notePackages(packages)],
    worker: {
      format: "es",
      rolldownOptions: { checks: { pluginTimings: false } },
      plugins: () => [notePackages(packages)],
    },
    build: {
      outDir: out,
      emptyOutDir: false,
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      target: "es2022",
      rolldownOptions: { checks: { pluginTimings: false } },
    },
  })
  for (const name of Object.keys(files) as FileName[]) {
    const path = join(out, pinned.files[name].path)
    mkdirSync(dirname(path), { recursive: true })
    writeFileSync(path, files[name])
  }
  await writeServiceWorker(root, out)
  return { keyDigest: pinned.keyDigest, model: pinned.model, packages: [...packages].sort() }
}

/** Notes the packages that a bundle takes code from. */
const notePackages = (packages: Set<string>): Plugin => ({
  name: "packages",
  generateBundle(_, output) {
    for (const chunk of Object.values(output))
      for (const id of chunk.type === "chunk" ? chunk.moduleIds : []) {
        const [, name] = /.*node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(id) ?? []
        if (name) packages.add(name)
      }
  },
})

/** A file of a folder that no older page has written there: the service worker of each lists all of its files. */
export function foreignIn(out: string): string | undefined {
  const own = new Set(["sw.js"])
  const worker = join(out, "sw.js")
  const [, files] = existsSync(worker)
    ? (/^const FILES = (.*)$/m.exec(readFileSync(worker, "utf8")) ?? [])
    : []
  try {
    for (const path of Object.keys(JSON.parse(files ?? "{}"))) own.add(path === "" ? "index.html" : path)
  } catch {
    return "sw.js"
  }
  return readdirSync(out, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(out, join(entry.parentPath, entry.name)).replaceAll(sep, "/"))
    .find((path) => !own.has(path) || files === undefined)
}

/** Writes the service worker, with the digests of all files that are there; another file makes another version. */
export async function writeServiceWorker(root: string, out: string): Promise<void> {
  const digests = filesIn(out)
    .filter((path) => path !== "sw.js")
    .map((path): [string, string] => [
      path === "index.html" ? "" : path,
      sha256(readFileSync(join(out, path))),
    ])
  const files = JSON.stringify(Object.fromEntries(digests))
  const path = join(root, "sw.ts")
  const { code } = await transformWithOxc(readFileSync(path, "utf8"), path)
  const version = sha256(Buffer.from(files)).slice(0, 16)
  writeFileSync(join(out, "sw.js"), `const FILES = ${files}\nconst VERSION = "${version}"\n${code}`)
}
