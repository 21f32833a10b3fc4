/** Least and largest of any run of neighbours in a list, in constant time: of every run of 2^k, for all k, both are kept. */
export function extremesOf(values: Float64Array): (from: number, to: number) => readonly [number, number] {
  const least = [values]
  const most = [values]
  for (let half = 1; 2 * half <= values.length; half *= 2) {
    const [below, above] = [least[least.length - 1], most[most.length - 1]]
    const runs = values.length - 2 * half + 1
    least.push(Float64Array.from({ length: runs }, (_, i) => Math.min(below[i], below[i + half])))
    most.push(Float64Array.from({ length: runs }, (_, i) => Math.max(above[i], above[i + half])))
  }
  return (from, to) => {
    // two runs that cover it
    const k = 31 - Math.clz32(to - from + 1)
    const second = to + 1 - 2 ** k
    return [Math.min(least[k][from], least[k][second]), Math.max(most[k][from], most[k][second])]
  }
}
