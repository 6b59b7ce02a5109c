export * from './catalogue.ts'
export * from './nearest.ts'
export * from './render-diagnostic.ts'
export * from './render-message.ts'
