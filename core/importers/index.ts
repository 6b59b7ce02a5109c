export * from './decode-text.ts'
export * from './import-files.ts'
export * from './import-options.ts'
