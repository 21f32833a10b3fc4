/** What `npm run page` runs: makes the page in out/page, and says how to host it, or serves it. */
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { compileLenet, makePage } from "./make.js"

const root = fileURLToPath(new URL(".", import.meta.url))
const out = join(root, "../../out/page")
console.log(await makePage(await compileLenet(join(root, "..")), { root, out }))
