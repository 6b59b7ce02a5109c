export * from './open-store.ts'
export type { Queries, Store } from './store.ts'
export { violatedConstraint } from './store-error.ts'
