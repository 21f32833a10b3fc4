/** A process that appends to a log, a note at a time, and says so: `node log-writer.mjs FOLDER NAME COUNT`. */
import { openLog } from "../../dist/log/index.js"

const [folder, name, count] = process.argv.slice(2)
const log = await openLog(folder, { create: true, waitMs: 60_000 })
for (let i = 0; i < Number(count); i++) {
  const { index } = await log.append({ type: "note", body: { name, i } })
  process.stdout.write(`${index} ${i}\n`)
}
await log.close()
