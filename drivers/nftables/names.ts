/** Every nftables object that this driver makes. All is inside one table; other tables are never named. */
export const doorTable = 'hyperward_door'
export const guardedSet = 'guarded'
/** As many taps as the programs know. A set of a fixed size is a plain hash table, which a packet asks for half the cost of one that may grow. A full set opens no more. */
export const guardedSize = 8192
export const closedCounter = 'closed'
export const doorChains = ['prerouting', 'forward', 'output'] as const
export type DoorChain = (typeof doorChains)[number]
