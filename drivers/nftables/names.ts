/** Every nftables object that this driver makes. All is inside one table; other tables are never named. */
export const doorTable = 'hyperward_door'
export const guardedSet = 'guarded'
export const closedCounter = 'closed'
export const doorChains = ['forward', 'input', 'output'] as const
export type DoorChain = (typeof doorChains)[number]
