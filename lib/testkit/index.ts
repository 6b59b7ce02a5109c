export * from './lab.ts'
export * from './lab-record.ts'
export * from './namespace-endpoint.ts'
export * from './wait-for.ts'
