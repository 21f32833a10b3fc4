/**
 * The sheet that is drawn on: by pointer, and by keyboard with a pen that arrows move from cell to cell. It holds either
 * strokes or a digit that was taken as it is.
 */
import { type Point, type Stroke, side, toDigit } from "./digit.js"

/** What is on the sheet. */
export interface Drawing {
  /** 784 grey values, as the network is given them. */
  readonly greys: Float32Array
  /** In words, for who cannot see it. */
  readonly says: string
  readonly isEmpty: boolean
}

interface Taken {
  readonly greys: Float32Array
  readonly says: string
}

export interface SheetOptions {
  /** After every movement of the pen; `isDone` when it is lifted. */
  readonly onChange: (drawing: Drawing, isDone: boolean) => void
  /** Where the pen is, in words, when the keyboard moves it. */
  readonly onPen: (words: string) => void
}

/** Width of the pen on the sheet, in cells. */
const penWidth = 2.2

export class Sheet {
  #strokes: Point[][] = []
  #taken: Taken | undefined
  /** The cell where the keyboard's pen is, and whether it is down. */
  #cell: Point = [14, 6]
  #isDown = false
  #hasFocus = false
  #pointer: number | undefined

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly options: SheetOptions,
  ) {
    canvas.addEventListener("pointerdown", (event) => this.#begin(event))
    canvas.addEventListener("pointermove", (event) => this.#move(event))
    for (const type of ["pointerup", "pointercancel"] as const)
      canvas.addEventListener(type, (event) => this.#end(event))
    canvas.addEventListener("keydown", (event) => this.#key(event))
    canvas.addEventListener("focus", () => this.#focus(canvas.matches(":focus-visible")))
    canvas.addEventListener("blur", () => {
      this.#isDown = false
      this.#focus(false)
    })
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint())
    this.#paint()
  }

  get drawing(): Drawing {
    if (this.#taken) return { ...this.#taken, isEmpty: false }
    const count = this.#strokes.length
    return {
      greys: toDigit(this.#strokes),
      says:
        count === 0 ? "Nothing is drawn yet" : `Your drawing, ${count} ${count === 1 ? "stroke" : "strokes"}`,
      isEmpty: count === 0,
    }
  }

  /** Puts a digit on the sheet as it is. */
  take(greys: Float32Array, says: string): void {
    this.#strokes = []
    this.#taken = { greys, says }
    this.#changed(true)
  }

  /** Takes the last stroke back. */
  undo(): void {
    if (this.#taken) this.#taken = undefined
    else this.#strokes.pop()
    this.#isDown = false
    this.#changed(true)
  }

  clear(): void {
    this.#strokes = []
    this.#taken = undefined
    this.#isDown = false
    this.#changed(true)
  }

  #changed(isDone: boolean): void {
    this.#paint()
    this.options.onChange(this.drawing, isDone)
  }

  #focus(isShown: boolean): void {
    this.#hasFocus = isShown
    this.#paint()
  }

  // ------------------------------------------------------------------- by pointer

  #place({ clientX, clientY }: MouseEvent): Point {
    const { left, top, width, height } = this.canvas.getBoundingClientRect()
    const within = (at: number) => Math.min(side, Math.max(0, at * side))
    return [within((clientX - left) / width), within((clientY - top) / height)]
  }

  #begin(event: PointerEvent): void {
    if (this.#pointer !== undefined || event.button > 0) return
    this.#pointer = event.pointerId
    this.canvas.setPointerCapture(event.pointerId)
    this.#taken = undefined
    this.#isDown = false
    this.#hasFocus = false
    this.#strokes.push([this.#place(event)])
    this.#changed(false)
  }

  #move(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return
    const passed = event.getCoalescedEvents?.() ?? []
    for (const each of passed.length > 0 ? passed : [event]) this.#strokes.at(-1)?.push(this.#place(each))
    this.#changed(false)
  }

  #end(event: PointerEvent): void {
    if (event.pointerId !== this.#pointer) return
    this.#pointer = undefined
    this.#changed(true)
  }

  // ------------------------------------------------------------------ by keyboard

  #key(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key]
    if (step) this.#step(step[0], step[1])
    else if (event.key === " " || event.key === "Enter") this.#press()
    else if (event.key === "Backspace" || event.key === "Delete") this.undo()
    else return
    event.preventDefault()
    this.#hasFocus = true
    this.#paint()
  }

  get #centre(): Point {
    return [this.#cell[0] + 0.5, this.#cell[1] + 0.5]
  }

  #press(): void {
    this.#isDown = !this.#isDown
    if (this.#isDown) {
      this.#taken = undefined
      this.#strokes.push([this.#centre])
    }
    this.#changed(!this.#isDown)
    this.#say()
  }

  #step(x: number, y: number): void {
    const within = (at: number) => Math.min(side - 1, Math.max(0, at))
    this.#cell = [within(this.#cell[0] + x), within(this.#cell[1] + y)]
    if (this.#isDown) {
      this.#strokes.at(-1)?.push(this.#centre)
      this.#changed(false)
    }
    this.#say()
  }

  #say(): void {
    const [x, y] = this.#cell
    this.options.onPen(`Row ${y + 1}, column ${x + 1}, pen ${this.#isDown ? "down" : "up"}`)
  }

  // ---------------------------------------------------------------------- painting

  #paint(): void {
    const pen = this.canvas.getContext("2d")
    if (!pen) return
    const { width } = this.canvas
    const cell = width / side
    const style = getComputedStyle(this.canvas)
    pen.clearRect(0, 0, width, width)
    pen.strokeStyle = pen.fillStyle = style.color
    this.#taken?.greys.forEach((grey, i) => {
      pen.globalAlpha = grey
      pen.fillRect((i % side) * cell, Math.floor(i / side) * cell, cell, cell)
    })
    pen.globalAlpha = 1
    pen.lineWidth = penWidth * cell
    pen.lineCap = pen.lineJoin = "round"
    for (const stroke of this.#strokes) {
      pen.beginPath()
      for (const [x, y] of [stroke[0], ...stroke] as Stroke) pen.lineTo(x * cell, y * cell)
      pen.stroke()
    }
    if (!this.#hasFocus) return
    pen.lineWidth = 0.25 * cell
    pen.strokeStyle = style.getPropertyValue(this.#isDown ? "--bad" : "--focus")
    const [x, y] = this.#cell
    pen.strokeRect((x - 0.4) * cell, (y - 0.4) * cell, 1.8 * cell, 1.8 * cell)
  }
}

/** Shows grey values on a canvas of 28 × 28, in the colour of its text. */
export function paintGreys(canvas: HTMLCanvasElement, greys: Float32Array): void {
  const pen = canvas.getContext("2d")
  if (!pen) return
  pen.clearRect(0, 0, side, side)
  pen.fillStyle = getComputedStyle(canvas).color
  greys.forEach((grey, i) => {
    pen.globalAlpha = grey
    pen.fillRect(i % side, Math.floor(i / side), 1, 1)
  })
}
