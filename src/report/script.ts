/**
 * What a page does beyond links: the drawing moves and zooms, a chosen box shows its nodes, the table is searched and
 * sorted. This function goes into the page as its own text, so it uses nothing but what is inside of it; it reads the page
 * and makes elements and texts, never HTML.
 */
export function enhance(): void {
  const root = document.documentElement
  root.classList.add("script")
  const table = document.getElementById("nodes") as HTMLTableElement
  const body = table.tBodies[0]
  const rows = [...body.rows]
  const texts = rows.map((row) => (row.textContent ?? "").toLowerCase())
  const heads = [...(table.tHead as HTMLTableSectionElement).rows[0].cells]
  const svg = document.getElementById("graph") as unknown as SVGSVGElement | null
  const boxes = svg ? [...svg.querySelectorAll<SVGAElement>(".box")] : []
  const edges = svg ? [...svg.querySelectorAll<SVGPathElement>(".edges path")] : []
  const rowsOf = (box: SVGAElement) => (box.dataset.rows ?? "").split(" ").map((place) => rows[Number(place)])
  const details = document.getElementById("details")

  /** The part of the drawing that is seen. */
  const all = svg ? svg.viewBox.baseVal : { width: 1, height: 1 }
  const whole = { width: all.width, height: all.height }
  const view = { x: 0, y: 0, width: whole.width, height: whole.height }
  /** Units of the drawing for a pixel. */
  let unit = 1
  const frame = () => (svg ? svg.getBoundingClientRect() : { left: 0, top: 0, width: 1, height: 1 })
  const show = () => {
    const { width, height } = frame()
    view.width = unit * width
    view.height = unit * height
    // a drawing is never lost from sight
    view.x = Math.min(Math.max(view.x, -0.8 * view.width), whole.width - 0.2 * view.width)
    view.y = Math.min(Math.max(view.y, -0.8 * view.height), whole.height - 0.2 * view.height)
    svg?.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`)
  }
  const fitting = () => {
    const { width, height } = frame()
    return Math.max(whole.width / Math.max(width, 1), whole.height / Math.max(height, 1))
  }
  const showAll = () => {
    unit = Math.max(fitting(), 0.75)
    const { width, height } = frame()
    view.x = (whole.width - unit * width) / 2
    view.y = (whole.height - unit * height) / 2
    show()
  }
  /** Zooms by a factor; the point of the drawing at these pixels stays where it is. */
  const zoom = (factor: number, left?: number, top?: number) => {
    const box = frame()
    const [px, py] = [
      (left ?? box.left + box.width / 2) - box.left,
      (top ?? box.top + box.height / 2) - box.top,
    ]
    const next = Math.min(Math.max(unit * factor, 0.25), Math.max(1.5 * fitting(), 2))
    view.x += px * (unit - next)
    view.y += py * (unit - next)
    unit = next
    show()
  }
  const move = (x: number, y: number) => {
    view.x += x * unit
    view.y += y * unit
    show()
  }
  const placeOf = (box: SVGAElement) => {
    const { e, f } = box.transform.baseVal[0].matrix
    const { width, height } = box.getBBox()
    return { x: e + width / 2, y: f + height / 2, width, height }
  }
  /** Brings a box into sight, and moves nothing if it is. */
  const reveal = (box: SVGAElement, always = false) => {
    const { x, y, width, height } = placeOf(box)
    const inside =
      x - width / 2 >= view.x &&
      x + width / 2 <= view.x + view.width &&
      y - height / 2 >= view.y &&
      y + height / 2 <= view.y + view.height
    if (inside && !always) return
    if (unit > 1.6) unit = 1
    const { width: w, height: h } = frame()
    view.x = x - (unit * w) / 2
    view.y = y - (unit * h) / 2
    show()
  }

  const make = (name: string, text = "", className = "") => {
    const element = document.createElement(name)
    element.textContent = text
    if (className) element.className = className
    return element
  }
  const primitive = heads.findIndex((head) => head.dataset.sort === "primitive")
  /** Nodes of a box that are told of one by one. */
  const most = 8
  /** What the table says of the nodes in a box, cell by cell. */
  const tell = (box: SVGAElement) => {
    if (!details) return
    const nodes = rowsOf(box)
    const parts: HTMLElement[] = [make("h3", nodes[0].cells[0].textContent ?? "")]
    // of an operator that became hundreds those that cost most
    const cost = (row: HTMLTableRowElement) => Number(row.cells[1].dataset.value)
    const told = nodes.length > most ? nodes.toSorted((x, y) => cost(y) - cost(x)).slice(0, most) : nodes
    if (nodes.length > 1) {
      const sum = nodes.reduce((all, row) => all + cost(row), 0)
      const which = nodes.length > most ? `; the ${most} that have most` : ""
      const text = `${nodes.length} nodes, ${sum.toLocaleString("en-US")} constraints${which}:`
      parts.push(make("p", text, "help"))
    }
    for (const row of told) {
      if (nodes.length > 1) parts.push(make("h4", row.cells[primitive].textContent ?? ""))
      const list = make("dl", "", "facts")
      for (const [place, cell] of [...row.cells].entries()) {
        const text = cell.textContent ?? ""
        if (place === 0 || text === "") continue
        list.append(make("dt", (heads[place].textContent ?? "").trim()), make("dd", text))
      }
      const link = make("a", "Row in the table") as HTMLAnchorElement
      link.href = `#${row.id}`
      parts.push(list, link)
    }
    details.replaceChildren(...parts)
    details.scrollTop = 0
  }
  let stop: SVGAElement | undefined
  /** Makes a box the one that the Tab key comes to. */
  const settle = (box: SVGAElement) => {
    stop?.setAttribute("tabindex", "-1")
    box.setAttribute("tabindex", "0")
    stop = box
  }
  const choose = (box: SVGAElement) => {
    for (const chosen of document.querySelectorAll(".chosen")) chosen.classList.remove("chosen")
    box.classList.add("chosen")
    for (const row of rowsOf(box)) row.classList.add("chosen")
    const id = box.id.slice("box-".length)
    for (const edge of edges)
      edge.classList.toggle("near", edge.dataset.from === id || edge.dataset.to === id)
    settle(box)
    tell(box)
  }

  if (svg && boxes.length > 0) {
    for (const box of boxes) box.setAttribute("tabindex", "-1")
    settle(boxes[0])
    const pointers = new Map<number, PointerEvent>()
    let moved = 0
    svg.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return
      if (pointers.size === 0) moved = 0
      pointers.set(event.pointerId, event)
    })
    addEventListener("pointermove", (event) => {
      const before = pointers.get(event.pointerId)
      if (!before) return
      const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY]
      moved += Math.abs(dx) + Math.abs(dy)
      const other = [...pointers.values()].find(({ pointerId }) => pointerId !== event.pointerId)
      pointers.set(event.pointerId, event)
      if (moved > 4) svg.classList.add("dragged")
      if (!other) {
        move(-dx, -dy)
        return
      }
      const apart = (one: PointerEvent) =>
        Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY) + 1
      zoom(
        apart(before) / apart(event),
        (event.clientX + other.clientX) / 2,
        (event.clientY + other.clientY) / 2,
      )
    })
    const release = (event: PointerEvent) => {
      pointers.delete(event.pointerId)
      if (pointers.size === 0) svg.classList.remove("dragged")
    }
    addEventListener("pointerup", release)
    addEventListener("pointercancel", release)
    svg.addEventListener("dragstart", (event) => event.preventDefault())
    svg.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return
        event.preventDefault()
        zoom(Math.exp(Math.max(-50, Math.min(50, event.deltaY)) / 150), event.clientX, event.clientY)
      },
      { passive: false },
    )
    svg.addEventListener("click", (event) => {
      const box = (event.target as Element).closest<SVGAElement>(".box")
      if (!box || event.ctrlKey || event.metaKey || event.shiftKey) return
      event.preventDefault()
      if (moved <= 4) choose(box)
      moved = 0
    })
    const ways: Readonly<Record<string, readonly [x: number, y: number]>> = {
      ArrowUp: [0, -1],
      ArrowDown: [0, 1],
      ArrowLeft: [-1, 0],
      ArrowRight: [1, 0],
    }
    /** The nearest box in a direction; what is beside the way is farther than it is. */
    const next = (from: SVGAElement, [dx, dy]: readonly [number, number]) => {
      const start = placeOf(from)
      let [best, least]: [SVGAElement | undefined, number] = [undefined, Number.POSITIVE_INFINITY]
      for (const box of boxes) {
        const { x, y } = placeOf(box)
        const along = (x - start.x) * dx + (y - start.y) * dy
        const beside = Math.abs((x - start.x) * dy) + Math.abs((y - start.y) * dx)
        if (along > 1 && along + 2 * beside < least) [best, least] = [box, along + 2 * beside]
      }
      return best
    }
    document.getElementById("view")?.addEventListener("keydown", (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey) return
      const way = ways[event.key]
      const box = (event.target as Element).closest<SVGAElement>(".box")
      if (way && event.shiftKey) move(60 * way[0], 60 * way[1])
      else if (way && box) {
        const found = next(box, way)
        if (found) {
          settle(found)
          found.focus({ preventScroll: true })
          reveal(found)
        }
      } else if (event.key === "+" || event.key === "=") zoom(1 / 1.3)
      else if (event.key === "-") zoom(1.3)
      else if (event.key === "0") showAll()
      else return
      event.preventDefault()
    })
    for (const button of document.querySelectorAll<HTMLButtonElement>("[data-zoom]"))
      button.addEventListener("click", () => {
        if (button.dataset.zoom === "all") showAll()
        else zoom(button.dataset.zoom === "in" ? 1 / 1.3 : 1.3)
      })
    // what is too large to be read as a whole begins where data comes in
    if (fitting() <= 1.6) showAll()
    else {
      const { x, y } = placeOf(boxes[0])
      view.x = x - frame().width / 2
      view.y = y - 60
      show()
    }
    addEventListener("resize", () => {
      const { width, height } = frame()
      if (width < 1 || height < 1) return
      // what was in the middle stays there
      view.x += (view.width - unit * width) / 2
      view.y += (view.height - unit * height) / 2
      show()
    })
    body.addEventListener("click", (event) => {
      const link = (event.target as Element).closest("th a")
      const box = link && boxes[Number(link.closest("tr")?.dataset.box)]
      if (!box) return
      event.preventDefault()
      choose(box)
      reveal(box, true)
      document.getElementById("view")?.scrollIntoView({ block: "nearest" })
      box.focus({ preventScroll: true })
    })
  }

  const search = document.getElementById("search") as HTMLInputElement
  const paid = document.getElementById("paid") as HTMLInputElement
  const found = document.getElementById("found") as HTMLOutputElement
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean)
    let count = 0
    for (const [i, row] of rows.entries()) {
      const isMeant =
        words.every((word) => texts[i].includes(word)) && (!paid.checked || "paid" in row.dataset)
      row.hidden = !isMeant
      if (isMeant) count++
    }
    found.value = count === rows.length ? `${count} nodes` : `${count} of ${rows.length} nodes`
    for (const box of boxes)
      box.classList.toggle(
        "other",
        rowsOf(box).every((row) => row.hidden),
      )
  }
  search.addEventListener("input", filter)
  paid.addEventListener("change", filter)
  // a browser may keep what was typed before
  filter()

  for (const [place, head] of heads.entries()) {
    const button = make("button", head.textContent ?? "") as HTMLButtonElement
    button.type = "button"
    head.replaceChildren(button)
    button.addEventListener("click", () => {
      const isNumber = head.dataset.as === "number"
      const first = isNumber ? "descending" : "ascending"
      const now = head.getAttribute("aria-sort")
      const other = first === "ascending" ? "descending" : "ascending"
      const sort = now === null ? first : now === first ? other : undefined
      for (const each of heads) each.removeAttribute("aria-sort")
      if (sort) head.setAttribute("aria-sort", sort)
      const key = (row: HTMLTableRowElement) => row.cells[place].textContent ?? ""
      const value = (row: HTMLTableRowElement) => Number(row.cells[place].dataset.value)
      const sign = sort === "ascending" ? 1 : -1
      // of a third click, or of equals, the order of the model
      const sorted = sort
        ? rows.toSorted((x, y) => sign * (isNumber ? value(x) - value(y) : key(x).localeCompare(key(y))))
        : rows
      body.append(...sorted)
    })
  }
}
