/** What a piece of work takes of the memory of the kernels, and gives back in one go. */
import type { KernelMemory } from "./memory.js"
import { Struct, type StructName, structBytes } from "./structs.js"

export class Blocks {
  private readonly memory: KernelMemory
  private readonly what: string
  private readonly addresses: number[] = []

  /** `what` names them in an error. */
  constructor(memory: KernelMemory, what: string) {
    this.memory = memory
    this.what = what
  }

  /** As `KernelMemory.allocate`. */
  allocate(bytes: number): number {
    const at = this.memory.allocate(bytes, this.what)
    this.addresses.push(at)
    return at
  }

  /** A block with the bytes of a list. */
  place(list: Uint32Array | Float64Array): number {
    const at = this.allocate(list.byteLength)
    const bytes = new Uint8Array(list.buffer, list.byteOffset, list.byteLength)
    this.memory.bytes(at, list.byteLength).set(bytes)
    return at
  }

  /** A block for a struct, contents undefined. */
  struct<Name extends StructName>(name: Name): Struct<Name> {
    return new Struct(this.memory, name, this.allocate(structBytes(name)))
  }

  /** Gives one of them back. */
  free(at: number): void {
    this.addresses.splice(this.addresses.indexOf(at), 1)
    this.memory.release(at)
  }

  /** Gives them back; more may be taken afterwards. */
  release(): void {
    for (const at of this.addresses.splice(0)) this.memory.release(at)
  }
}
