export { decodeDomain, type DecodedDomain, type DomainInterface, type DomainProblem } from './decode.ts'
export { metadataNamespace } from './decode-metadata.ts'
export {
  createLibvirtConnection,
  type LibvirtConnection,
  type LibvirtConnectionOptions,
  type LibvirtDomain,
  type LibvirtEvent,
} from './libvirt-connection.ts'
export type { DomainState, LifecycleEvent } from './libvirt-constants.ts'
export { observeDomains, type ObservedDomain } from './observe.ts'
