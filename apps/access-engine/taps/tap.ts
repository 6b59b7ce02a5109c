import type { EndpointId, VmUuid } from '@hyperward/model'

/** One network attachment of a running VM, as libvirt tells it and the kernel confirms it. */
export interface Tap {
  readonly endpoint: EndpointId
  readonly vm: VmUuid
  readonly vmName: string
  /** The VM names a tenant: without one no plan ever has it. */
  readonly claimed: boolean
  /** Why it cannot be guarded at all; null = it is a tap. */
  readonly unguardable: string | null
  /** null: libvirt names no device, or the kernel has none of that name (any more). */
  readonly link: TapLink | null
}

export interface TapLink {
  readonly device: string
  readonly ifindex: number
  /** ifindex of the bridge the tap is a port of; 0 = none. */
  readonly segment: number
}
