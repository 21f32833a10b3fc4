/**
 * Commands one after the other in one process, each with modules of its own of all that `src/cli` has: starting Node
 * and loading the library takes longer than most commands. A message `{ args, env }` is answered by
 * `{ code, stdout, stderr }`.
 */
import { register } from "node:module"

/** Which command it is for goes from a module of the command line to those that it imports. */
const hooks = `export async function resolve(name, context, next) {
  const found = await next(name, context)
  const command = /[?]command=.*/.exec(context.parentURL ?? "")?.[0]
  return command && found.url.includes("/dist/cli/") ? { ...found, url: found.url + command } : found
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

const streams = ["stdout", "stderr"]
let commands = 0

async function answer({ args, env }) {
  const said = { stdout: "", stderr: "" }
  const writes = streams.map((name) => process[name].write)
  for (const name of streams) {
    process[name].removeAllListeners("error")
    process[name].write = (text) => {
      said[name] += text
      return true
    }
  }
  for (const name of Object.keys(process.env)) if (!(name in env)) delete process.env[name]
  Object.assign(process.env, env)
  process.argv = [...process.argv.slice(0, 2), ...args]
  process.exitCode = 0
  await import(`../../dist/cli.js?command=${commands++}`)
  for (const [i, name] of streams.entries()) process[name].write = writes[i]
  process.send({ code: process.exitCode, ...said })
}

let last = Promise.resolve()
process.on("message", (asked) => {
  last = last.then(() => answer(asked))
})
process.on("disconnect", () => process.exit())
