/**
 * Commands one after the other in one process, each with modules of its own of all that `src/cli` has: starting Node
 * and loading the library takes longer than most commands. A message `{ args, env }` is answered by
 * `{ code, stdout, stderr }`.
 *
 * Shells ask as well, of a port that the first message from here names. They send, each ended by a zero: a folder, how
 * many arguments, these, variables of the environment, and nothing. The answer is three lines: exit code, standard output,
 * standard error, these in base64.
 */
import { register } from "node:module"
import { createServer } from "node:net"

/** Which command it is for goes from a module of the command line to those that it imports. */
const hooks = `export async function resolve(name, context, next) {
  const found = await next(name, context)
  const command = /[?]command=.*/.exec(context.parentURL ?? "")?.[0]
  return command && found.url.includes("/dist/cli/") ? { ...found, url: found.url + command } : found
}`
register(`data:text/javascript,${encodeURIComponent(hooks)}`)

const streams = ["stdout", "stderr"]
let commands = 0

async function answer({ args, env, cwd }) {
  if (cwd) process.chdir(cwd)
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
  return { code: process.exitCode, ...said }
}

let last = Promise.resolve()
const inTurn = (asked, reply) => {
  last = last.then(async () => reply(await answer(asked)))
}
process.on("message", (asked) => inTurn(asked, (said) => process.send({ said })))
process.on("disconnect", () => process.exit())

/** What a shell asks; undefined as long as not all of it is there. */
function asked(text) {
  if (!text.endsWith("\0\0")) return undefined
  const [cwd, count, ...rest] = text.slice(0, -2).split("\0")
  if (rest.length < Number(count)) return undefined
  const variables = rest.slice(Number(count)).map((line) => [line.split("=", 1)[0], line])
  const env = Object.fromEntries(variables.map(([name, line]) => [name, line.slice(name.length + 1)]))
  return { cwd, args: rest.slice(0, Number(count)), env }
}

const home = process.cwd()
const base64 = (text) => Buffer.from(text).toString("base64")
const server = createServer((socket) => {
  let text = ""
  socket.setEncoding("utf8").on("data", (data) => {
    text += data
    const given = asked(text)
    if (!given) return
    inTurn(given, ({ code, stdout, stderr }) => {
      process.chdir(home)
      socket.end(`${code}\n${base64(stdout)}\n${base64(stderr)}\n`)
    })
  })
})
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }))
