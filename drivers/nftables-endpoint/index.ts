export type { Attachment } from './desired.ts'
export { createNftablesDriver, type EndpointDrops, type NftablesDriver, type ReconcileReport } from './driver.ts'
export { probeNftables } from './probe.ts'
