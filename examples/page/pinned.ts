/** What the build wrote into the code. */
import type { Pinned } from "./pin.js"

declare const PINNED: Pinned
export const pinned: Pinned = PINNED
