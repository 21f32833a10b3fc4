/** Which backend calibrates, measures and runs integers, and what is said of it. */
import { Option } from "commander"
import * as api from "../index.js"
import { note } from "./terminal.js"

export const backendOption = new Option(
  "--backend <name>",
  "what runs the model: auto, loops, wasm, webgpu or node-gpu",
).default("auto")

/** The backends that are asked for; one that cannot be used is told, but not that `auto` found it missing. @throws UsageError */
export const backendsOf = (name: string): api.Backends =>
  api.openBackends(name as api.BackendChoice, {
    onPassedOver({ backend, reason, missing }) {
      if (name !== "auto" || !missing) note(`backend ${backend} is passed over: ${reason}`)
    },
  })

/** What ran, for --json. */
export const backendInfo = ({ chosen = "loops", description, measured, passedOver }: api.Backends) => ({
  backend: chosen,
  ...(description && { device: description }),
  ...(measured && { measured }),
  passedOver,
})

/** What ran, and what `auto` chose it by. */
export function backendLine({ chosen = "loops", description, measured = {} }: api.Backends): string {
  const device = description === undefined ? chosen : `${chosen} (${description})`
  const times = Object.entries(measured).map(([name, ms]) => `${name} ${ms.toPrecision(2)} ms`)
  return `backend      ${device}${times.length > 1 ? `; the same batch: ${times.join(", ")}` : ""}`
}
