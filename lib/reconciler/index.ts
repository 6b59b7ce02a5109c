export * from './backoff.ts'
export * from './reconciler.ts'
