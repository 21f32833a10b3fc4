/**
 * How much of a test runs. `npm test` takes some of the random cases, others each time, and not the largest circuit where
 * a smaller one is asked the same; `npm run test:full` takes all. Edges and attacks are there every time.
 */
export const amount = (some: number, all: number): number => (process.env.FULL ? all : some)
