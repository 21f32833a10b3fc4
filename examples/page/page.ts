/** Small things that all parts of the page do. */

export const byId = <E extends HTMLElement = HTMLElement>(id: string): E => document.getElementById(id) as E

/** Fills a list of terms and what they are. */
export function facts(list: HTMLElement, rows: readonly (readonly [term: string, fact: string])[]): void {
  list.replaceChildren(
    ...rows.flatMap(([term, fact]) => {
      const [dt, dd] = [document.createElement("dt"), document.createElement("dd")]
      dt.textContent = term
      dd.textContent = fact
      return [dt, dd]
    }),
  )
}

/** Copies what stands in a text area; browsers that refuse that have it selected. */
export async function copyText(from: HTMLTextAreaElement, says: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(from.value)
    says.textContent = "Copied."
  } catch {
    from.focus()
    from.select()
    says.textContent = "It is selected: copy it with your browser."
  }
}

/** 32 random bytes. */
export const randomBytes32 = (): string =>
  `0x${Array.from(crypto.getRandomValues(new Uint8Array(32)), (byte) => byte.toString(16).padStart(2, "0")).join("")}`
