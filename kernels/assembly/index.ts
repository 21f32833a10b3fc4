/** Exports of the kernel modules: (item, args, scratch) → void, as the pool calls them. */
export * from "./fieldcalls"
