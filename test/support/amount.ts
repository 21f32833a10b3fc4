/**
 * How much of a test runs. `npm test` takes some of the random cases, others each time; `npm run test:full` all of them.
 * What has to be there every time, edges and attacks, is not counted by this.
 */
export const amount = (some: number, all: number): number => (process.env.FULL ? all : some)
