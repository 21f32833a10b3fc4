/**
 * How much of a test runs. `npm test` takes some of the random cases, others each time, and of what is asked of several
 * models or modules alike, the one that has most to it; `npm run test:full` takes all. Edges and attacks are there every
 * time. What is left to the full run stands in docs/decisions/tests.md.
 */
export const isFull = Boolean(process.env.FULL)

export const amount = (some: number, all: number): number => (isFull ? all : some)
