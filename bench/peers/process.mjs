/**
 * A program as whoever calls it sees it: the time from its start to its end, and the most memory that it held. Memory is what
 * Linux says of the process (VmHWM), asked every few milliseconds while it runs, so of a short one it may be a little low;
 * elsewhere it is unknown.
 */
import { spawn } from "node:child_process"
import { readFileSync } from "node:fs"

const everyMs = 5
/** What is kept of what a program says. */
const mostText = 1 << 22

/** The most memory that a process has held so far, in bytes; undefined where nobody says. */
export function peakBytesOf(pid) {
  try {
    const kibibytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]
    return kibibytes === undefined ? undefined : 1024 * Number(kibibytes)
  } catch {
    return undefined
  }
}

/**
 * Runs a program to its end: { ms, peakBytes, stdout, stderr }.
 * @throws Error with its last words if it does not start, ends with another code than 0, or takes longer than `timeoutMs`
 */
export function runProcess(program, args, { cwd, env, timeoutMs } = {}) {
  const called = [program, ...args].join(" ").slice(0, 200)
  return new Promise((resolve, reject) => {
    const started = performance.now()
    const child = spawn(program, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
      timeout: timeoutMs,
    })
    // whoever ends this takes it along
    const kill = () => child.kill("SIGKILL")
    process.once("exit", kill)
    let peakBytes
    const look = () => {
      peakBytes = peakBytesOf(child.pid) ?? peakBytes
    }
    const timer = setInterval(look, everyMs)
    const said = { stdout: "", stderr: "" }
    for (const name of ["stdout", "stderr"])
      child[name].setEncoding("utf8").on("data", (text) => {
        said[name] = (said[name] + text).slice(-mostText)
      })
    child.on("error", (error) => {
      clearInterval(timer)
      process.off("exit", kill)
      reject(new Error(`${called}: ${error.message}`))
    })
    let ms
    child.on("exit", () => {
      ms = performance.now() - started
      clearInterval(timer)
    })
    child.on("close", (code, signal) => {
      process.off("exit", kill)
      if (code === 0) return resolve({ ms, peakBytes, ...said })
      const words = (said.stderr.trim() || said.stdout.trim()).slice(-2000)
      reject(new Error(`${called} ended with ${signal ?? `code ${code}`}: ${words}`))
    })
  })
}
