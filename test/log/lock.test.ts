/** Turns: never two at once, whatever a process does while another is between two steps of its own. */
import { describe, expect, it } from "vitest"
import { Turns } from "#src/log/lock.js"
import { FaultyDisk, processOn } from "../support/faulty-disk.js"

const ended = new Set(["process 9."])

/** A folder of turns as it may be found. */
const beginnings: Record<string, (disk: FaultyDisk) => void> = {
  "nobody had a turn": () => undefined,
  "a turn is over": (disk) => {
    const turn = new Turns(processOn(disk, "process 8."), "turns").try()
    if ("end" in turn) turn.end()
  },
  "who has the turn has ended": (disk) => {
    const twice = new Turns(processOn(disk, "process 9.", ended), "turns")
    twice.try()
    twice.try()
  },
}

/** What others do meanwhile: who tries, and whether it ends its turn. */
const others = [
  [["process 2.", true]],
  [["process 2.", false]],
  [
    ["process 2.", true],
    ["process 3.", false],
  ],
  [
    ["process 2.", true],
    ["process 3.", true],
    ["process 2.", true],
    ["process 4.", false],
  ],
] as const

describe("turns", () => {
  it.each(Object.keys(beginnings))("are one at a time where %s", (name) => {
    for (const plan of others)
      for (let pause = 0; ; pause++) {
        const disk = new FaultyDisk()
        disk.makeFolder("turns")
        beginnings[name](disk)
        let have = 0
        const turns = (self: string) => new Turns(processOn(disk, self, ended), "turns")
        let now = 0
        disk.before = () => {
          if (now++ !== pause) return
          for (const [self, ends] of plan) {
            const turn = turns(self).try()
            if (!("end" in turn)) continue
            if (ends) turn.end()
            else have++
          }
        }
        const turn = turns("process 1.").try()
        const hadPause = now > pause
        disk.before = () => undefined
        if ("end" in turn) have++
        expect(have, `pause ${pause}`).toBeLessThanOrEqual(1)
        // and whoever has it can end it: then the next one gets it
        if ("end" in turn) {
          expect(turns("process 5.").try()).toMatchObject({ owner: "process 1." })
          turn.end()
          expect(turns("process 5.").try()).toHaveProperty("end")
        }
        if (!hadPause) break
      }
  })

  it("say who has one that does not end", async () => {
    const disk = new FaultyDisk()
    disk.makeFolder("turns")
    new Turns(processOn(disk, "process 1."), "turns").try()
    await expect(new Turns(processOn(disk, "process 2."), "turns").take(20)).rejects.toThrow(
      /`turns\/1`: another process has been writing for 20 ms: process 1\..*empty that file/,
    )
  })

  it("whose end the disk refuses keep others out, not their own process", () => {
    const disk = new FaultyDisk()
    disk.makeFolder("turns")
    const mine = new Turns(processOn(disk, "process 1."), "turns")
    const turn = mine.try()
    disk.fault = () => "refuse"
    if ("end" in turn) turn.end()
    disk.fault = () => undefined
    expect(new Turns(processOn(disk, "process 2."), "turns").try()).toMatchObject({ owner: "process 1." })
    expect(mine.try()).toHaveProperty("end")
  })
})
