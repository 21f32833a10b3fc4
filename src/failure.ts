/**
 * A failure that may come while others wait for work of theirs: a worker that dies, a device that is lost. A race of each
 * work against one promise of the failure would keep, as long as that lives, the result of every work that won.
 */
export class Failure {
  readonly #waiting = new Set<(error: unknown) => void>()
  #come: { readonly error: unknown } | undefined

  get hasCome(): boolean {
    return this.#come !== undefined
  }

  throwIfCome(): void {
    if (this.#come) throw this.#come.error
  }

  /** Fails all work that is waited for, and all to come. The first failure counts. */
  fail(error: unknown): void {
    this.#come ??= { error }
    for (const reject of this.#waiting) reject(this.#come.error)
  }

  /** What `work` gives, or a rejection with the failure, if that comes before. */
  orFail<T>(work: Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#come) reject(this.#come.error)
      this.#waiting.add(reject)
      work.then(resolve, reject).finally(() => this.#waiting.delete(reject))
    })
  }
}
