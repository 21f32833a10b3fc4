/** Style that a machine can check: who may import whom, where tests lie, what links lead to, what must not occur. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { basename, dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"

const root = fileURLToPath(new URL("..", import.meta.url))
const files = (folder: string, ending: string): string[] =>
  readdirSync(join(root, folder)).flatMap((name) => {
    const path = join(folder, name)
    return statSync(join(root, path)).isDirectory()
      ? files(path, ending)
      : path.endsWith(ending)
        ? [path]
        : []
  })
const read = (path: string) => readFileSync(join(root, path), "utf8")
const sources = files("src", ".ts")
const tests = [...files("test", ".ts"), ...files("test", ".mjs")]

const ground = [
  "errors.ts",
  "arguments.ts",
  "field.ts",
  "defaults.ts",
  "platform.ts",
  "budget.ts",
  "queue.ts",
  "failure.ts",
]
/**
 * The rooms in the order that data flows: each may import the ground, itself, and rooms above it in this list. A
 * folder that is not named belongs to the room that its own folder is in.
 */
const order = [
  "statement",
  "files.ts",
  "model",
  "model/onnx",
  "model/hdf5",
  "model/keras",
  "model/tfjs",
  "ops",
  "quantize/backends",
  "quantize/calibration",
  "quantize/integers",
  "quantize/canonical",
  "quantize",
  "circuit/formats",
  "circuit/gadgets",
  "circuit/plan",
  "circuit/link",
  "circuit/witness",
  "prover/kernels",
  "prover/engine",
  "setup/ceremony",
  "setup/ptau",
  "setup",
  "systems/system.ts",
  "systems/snarkjs",
  "systems/plain",
  "systems/groth16",
  "systems/universal",
  "systems/mirage",
  "systems",
  "verifier",
  "attest",
  "log",
  "chain",
  "compile",
  "report",
  "prover",
  "ceremony",
  "keep",
  "index.ts",
  "cli",
  "cli.ts",
]
const room = (path: string): string => {
  const inside = relative("src", path)
  const rooms = [...order, ...ground].filter((name) => inside === name || inside.startsWith(`${name}/`))
  return rooms.sort((a, b) => b.length - a.length)[0] ?? inside
}
const imports = (text: string) =>
  [...text.matchAll(/(?:^(?:import|export)\b[^"'`]*?\bfrom\s*|^import\s*|\bimport\(\s*)"([^"]+)"/gm)].map(
    (match) => match[1],
  )

describe("imports", () => {
  it.each(sources)("%s", (path) => {
    const from = room(path)
    expect([...order, ...ground]).toContain(from)
    for (const target of imports(read(path)).filter((name) => name.startsWith("."))) {
      const to = room(join(dirname(path), target.replace(/\.js$/, ".ts")))
      if (to === from || ground.includes(to)) continue
      expect(order.indexOf(to), `${path} imports ${target}`).toBeLessThan(order.indexOf(from))
      expect(ground, `${path} imports ${target}`).not.toContain(from)
    }
  })

  it("make no circle between files, types included", () => {
    const targets = new Map(
      sources.map((path) => {
        const named = imports(read(path)).filter((name) => name.startsWith("."))
        return [path, named.map((name) => join(dirname(path), name.replace(/\.js$/, ".ts")))]
      }),
    )
    const ended = new Set<string>()
    const circles: string[] = []
    const visit = (path: string, way: readonly string[]) => {
      if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(" -> "))
      if (way.includes(path) || ended.has(path)) return
      for (const target of targets.get(path) ?? []) visit(target, [...way, path])
      ended.add(path)
    }
    for (const path of sources) visit(path, [])
    expect(circles).toEqual([])
  })

  it("keep the verifier to the statement, halves of proof systems, curves and hashes", () => {
    const own = /^src\/(verifier\/|statement\/|systems\/verifiers|systems\/\w+\/(verify|solidity|snarkjs)\.)/
    const seen = new Set<string>()
    const visit = (path: string) => {
      if (seen.has(path)) return
      seen.add(path)
      expect(ground.some((name) => path === `src/${name}`) || own.test(path), path).toBe(true)
      for (const name of imports(read(path))) {
        if (name.startsWith(".")) visit(join(dirname(path), name.replace(/\.js$/, ".ts")))
        else expect(name, path).toMatch(/^@noble\/(curves|hashes)\//)
      }
    }
    visit("src/verifier/index.ts")
    for (const path of files("src/systems", "verify.ts"))
      for (const name of imports(read(path)))
        expect(name, path).toMatch(/^(\.\.\/\.\.\/statement\/|@noble\/)/)
    for (const path of ["src/errors.ts", "src/field.ts"]) expect(imports(read(path))).toEqual([])
  })

  it("keep claims to that, and ethers", () => {
    for (const path of sources.filter((name) => name.startsWith("src/attest/")))
      for (const name of imports(read(path)).filter((target) => !target.startsWith(".")))
        expect(name, path).toMatch(/^(@noble\/(curves|hashes)\/.*|ethers)$/)
  })

  it("reach snarkjs through one file", () => {
    const users = sources.filter((path) =>
      /from "snarkjs"|import\("snarkjs"\)/.test(read(path).replace(/typeof import\("snarkjs"\)/g, "")),
    )
    expect(users).toEqual(["src/systems/snarkjs/door.ts"])
  })

  it("reach the package of snarkjs's curves through one file", () => {
    const users = sources.filter((path) =>
      /import\("ffjavascript"\)|from "(ffjavascript|wasmcurves)"/.test(read(path)),
    )
    expect(users).toEqual(["src/setup/ceremony/snarkjs.ts"])
  })
})

describe("files", () => {
  // how long a file should be is judgement; nobody reads one beyond this at a sitting
  it.each([...sources, ...tests, ...files("contracts", ".sol")])("%s is at most 600 lines", (path) => {
    expect(read(path).split("\n").length).toBeLessThanOrEqual(600)
  })

  it("are all reachable from an entry", () => {
    const seen = new Set<string>()
    const visit = (path: string) => {
      if (seen.has(path)) return
      seen.add(path)
      const text = read(path)
      const workers = [...text.matchAll(/new URL\("(\.[^"]+\.js)"/g)].map((match) => match[1])
      for (const target of [...imports(text), ...workers].filter((name) => name.startsWith("."))) {
        visit(join(dirname(path), target.replace(/\.js$/, ".ts")))
      }
    }
    visit("src/index.ts")
    visit("src/cli.ts")
    visit("src/attest/index.ts")
    visit("src/keep/index.ts")
    visit("src/log/index.ts")
    visit("src/chain/index.ts")
    // the slow engine is what the kernels are compared with
    const references = ["src/prover/engine/slow.ts"]
    const unseen = sources.filter((path) => !seen.has(path) && !path.endsWith(".d.ts"))
    expect(unseen).toEqual(references)
  })

  it("of the library neither print, exit nor read the environment", () => {
    for (const path of sources.filter((name) => name !== "src/cli/terminal.ts")) {
      expect(read(path), path).not.toMatch(/console\.|process\.(exit\b|exitCode|env|stdout|stderr)/)
    }
  })

  it("leave nothing for later", () => {
    for (const path of [...sources, ...files("circuits", ".circom"), ...files("contracts", ".sol")]) {
      expect(read(path), path).not.toMatch(/TODO|FIXME|XXX|HACK|@ts-ignore|biome-ignore/)
    }
  })
})

describe("tests", () => {
  /** Beside the rooms of src and what the repository has beside src: the package as a whole, and all parsers. */
  const others = ["bench", "contracts", "examples", "package", "fuzz", "support"]
  /** Of no room: the ground of src, and what holds everywhere. */
  const everywhere = [...ground.map((name) => name.replace(/\.ts$/, "")), "names", "tidy"]

  it.each(tests)("%s lies in a room of src, or helps those that do", (path) => {
    const folder = relative("test", dirname(path))
    if (!path.endsWith(".test.ts")) expect(["fuzz", "support"]).toContain(folder)
    else if (folder === "") expect(everywhere.map((name) => `${name}.test.ts`)).toContain(basename(path))
    else expect(others.includes(folder) || existsSync(join(root, "src", folder)), folder).toBe(true)
  })

  it.each(tests)("%s leaves none out", (path) => {
    expect(read(path)).not.toMatch(/\b(describe|it|test)\.only\b/)
  })

  it("use every file that helps them", () => {
    const used = new Set(
      tests.flatMap((path) =>
        [...read(path).matchAll(/"(?:\.{1,2}\/)+(?:support\/)?([\w-]+)\.m?js"|support\/([\w-]+)\.ts"/g)].map(
          ([, imported, named]) => imported ?? named,
        ),
      ),
    )
    const helpers = files("test/support", "").filter((path) => !/\.(test|d)\.ts$/.test(path))
    expect(helpers.filter((path) => !used.has(basename(path).replace(/\.\w+$/, "")))).toEqual([])
  })
})

describe("documents", () => {
  const documents = [
    "README.md",
    "CONTRIBUTING.md",
    ...files("docs", ".md"),
    ...files("examples", ".md"),
  ].filter((path) => existsSync(join(root, path)))
  /** Without what stands between fences, where a parenthesis is no link. */
  const prose = (path: string) => read(path).replace(/^```[\s\S]*?^```/gm, "")
  /** Headings as links name them. */
  const anchors = (path: string) =>
    [...prose(path).matchAll(/^#+ (.*)$/gm)].map(([, heading]) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, "")
        .replace(/\s/g, "-"),
    )

  it.each(documents)("%s links to files and headings that are there", (path) => {
    for (const [, link] of prose(path).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(link)) continue
      const [file, anchor] = link.split("#")
      const target = file ? join(dirname(path), file) : path
      expect(existsSync(join(root, target)), `${path} links to ${link}`).toBe(true)
      if (anchor) expect(anchors(target), `${path} links to ${link}`).toContain(anchor)
    }
  })

  it.each(documents)("%s names files that are there", (path) => {
    const folders = "src|test|bench|circuits|contracts|docs|examples|kernels"
    const named = prose(path).matchAll(
      new RegExp(`(?<![\\w/.-])(?:${folders})/[\\w./-]+\\.(?:ts|mjs|md|sol|circom|csv)\\b`, "g"),
    )
    for (const [name] of named) expect(existsSync(join(root, name)), `${path} names ${name}`).toBe(true)
  })
})

describe("contracts", () => {
  // strangers compile against these alone
  it.each(files("contracts", ".sol").filter((path) => /^(I[A-Z]|CountersignTypes)/.test(basename(path))))(
    "%s imports interfaces alone",
    (path) => {
      for (const [, name] of read(path).matchAll(/^(?:import|\} from)\b[^"]*"([^"]+)"/gm))
        expect(name, path).toMatch(/^\.\/(I[A-Z]\w*|CountersignTypes)\.sol$/)
    },
  )
})

describe("circom", () => {
  const circuits = files("circuits", ".circom")
  // comments may speak of assertions; code may not make them: `assert` on a signal adds no constraint
  const code = (path: string) =>
    read(path)
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/\/\/.*/g, "")

  it.each(circuits)("%s has no assert and the full header", (path) => {
    expect(code(path)).not.toMatch(/\bassert\b/)
    for (const tag of ["@proves", "@input", "@output", "@cost", "@hints", "@source"])
      expect(read(path)).toContain(tag)
  })

  it.each(circuits)("%s names every hinted signal in @hints", (path) => {
    const hints = /@hints([\s\S]*?)@source/.exec(read(path))?.[1] ?? ""
    for (const [, name] of code(path).matchAll(/(\w+)(?:\[\w+\])?\s*<--/g))
      expect(hints, path).toContain(name)
  })
})
