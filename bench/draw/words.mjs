/** Numbers as people read them: two or three digits and a unit. */

/** So many digits at least, and all of those before the point. */
function digits(x, least = 2) {
  const cut = Number(x.toPrecision(least))
  return cut >= 100 ? Math.round(x).toLocaleString("en") : cut.toPrecision(least)
}

/** A time of so many milliseconds. */
export const time = (ms) =>
  Math.round(ms) < 1000
    ? `${digits(ms)} ms`
    : ms < 120_000
      ? `${digits(ms / 1000)} s`
      : `${digits(ms / 60_000)} min`

/** A size of so many bytes, in powers of ten. */
export const size = (bytes) =>
  bytes < 1e6
    ? `${digits(bytes / 1e3, 3)} kB`
    : bytes < 1e9
      ? `${digits(bytes / 1e6, 3)} MB`
      : `${digits(bytes / 1e9, 3)} GB`

export const count = (n) => n.toLocaleString("en")

/** A large count in short: 21k, 1.1M. */
export const short = (n) =>
  n < 1000
    ? String(Math.round(n))
    : n < 1e6
      ? `${digits(n / 1e3).replace(",", "")}k`
      : `${digits(n / 1e6).replace(",", "")}M`

export const ratio = (x) => `${x >= 10 ? Math.round(x) : x.toFixed(1)}×`

/** What a model is called in a picture: without what follows the name, or belongs to every such model. */
export const shortName = (name) => name.replace(/^(LeNet) .*/, "$1").replace("gradient-boosted", "boosted")

/** A power of two as constraints are drawn on: 2¹². */
export const power = (n) => `2${String(n).replace(/\d/g, (d) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[Number(d)])}`
