/** Numbers of libvirt's public API (include/libvirt/libvirt-domain.h) that its protocol carries as plain integers. */

/** virDomainState, by number. */
export const domainStates = [
  'none',
  'running',
  'blocked',
  'paused',
  'shutting-down',
  'shut-off',
  'crashed',
  'pm-suspended',
] as const
export type DomainState = (typeof domainStates)[number] | 'unknown'

/** virDomainEventType, by number. */
export const lifecycleEvents = [
  'defined',
  'undefined',
  'started',
  'suspended',
  'resumed',
  'stopped',
  'shutdown',
  'pm-suspended',
  'crashed',
] as const
export type LifecycleEvent = (typeof lifecycleEvents)[number] | 'other'

/** virDomainEventID of what we subscribe to. */
export const domainEventIds = { lifecycle: 0, deviceRemoved: 15, deviceAdded: 19, metadataChange: 23 } as const

/** virErrorNumber: the domain went away meanwhile. */
export const errNoDomain = 42
