import { pathToFileURL } from "node:url"
import { it } from "vitest"
import { cases, refused, slow } from "./hostile-cases.js"
import { measured } from "./measured.js"

it("x", () => {
  const dist = process.env.DIST
  const all = [...cases(refused, "onnx"), ...cases(slow, "quantize")].filter((c) => new RegExp(process.env.ONLY ?? ".").test(c.name))
  for (const c of process.env.EACH ? all.map((x) => [x]) : [all])
    for (const r of measured(c, dist ? pathToFileURL(dist) : undefined))
      console.log(
        r.name.padEnd(50),
        r.ms.toFixed(0).padStart(7),
        r.mib.toFixed(0).padStart(6),
        r.error,
        r.message.slice(0, 150).replace(/\n/g, "|"),
      )
}, 600000)
