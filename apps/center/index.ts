export * from './create-center.ts'
