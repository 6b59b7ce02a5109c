export type { OvsEndpoint, OvsGateway, Steering } from './desired.ts'
export { createOvsDriver, type OvsDriver, type OvsDriverOptions, type OvsReport } from './driver.ts'
