/** The ten scores as bars around zero, and what they say in words. */

/** So close to the best one, a score is named too. */
const close = 1.5

const shown = (score: number) => score.toFixed(1).replace("-", "−")

/** "7", or more of them with what is not sure. */
export function reading(scores: readonly number[]): { readonly digit: number; readonly words: string } {
  const order = scores.map((_, digit) => digit).sort((a, b) => scores[b] - scores[a])
  const [digit, next] = order
  const isClose = scores[digit] - scores[next] < close
  return { digit, words: isClose ? `A ${digit}, or perhaps a ${next}` : `A ${digit}` }
}

/** Draws the bars into a list of ten items; without scores, empty ones. */
export function showScores(list: HTMLElement, scores?: readonly number[]): void {
  const digit = scores && reading(scores).digit
  const largest = Math.max(1, ...(scores ?? []).map(Math.abs))
  if (list.children.length === 0)
    for (let i = 0; i < 10; i++) {
      const item = document.createElement("li")
      for (const name of ["digit", "track", "score"]) {
        const part = document.createElement("span")
        part.className = name
        if (name === "track") part.append(document.createElement("i"))
        item.append(part)
      }
      list.append(item)
    }
  Array.from(list.children as HTMLCollectionOf<HTMLElement>).forEach((item, i) => {
    const share = (scores?.[i] ?? 0) / largest / 2
    item.style.setProperty("--from", `${100 * Math.min(0.5, 0.5 + share)}%`)
    item.style.setProperty("--width", `${100 * Math.abs(share)}%`)
    item.toggleAttribute("data-best", i === digit)
    const [name, , value] = item.children
    name.textContent = String(i)
    value.textContent = scores ? shown(scores[i]) : ""
  })
}

export const scoreWords = (scores: readonly number[]): string => {
  const { digit, words } = reading(scores)
  return `${words}, with a score of ${shown(scores[digit])}`
}
