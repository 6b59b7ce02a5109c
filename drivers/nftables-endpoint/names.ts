/** Every nftables object that this driver makes, and the numbers it writes into packets and connections. All is inside three tables of one name. */
export const table = 'hyperward_endpoint'
export const families = ['netdev', 'inet', 'bridge'] as const
export type Family = (typeof families)[number]

/**
 * The priority of a packet that came from a guarded tap and whose sender's side is not judged yet. Not a mark: rules of others write marks between our hooks (restoring
 * them from the connection, as VPNs do), and a packet that lost this sign would be judged by nobody.
 */
export const unjudged = '4857:1'

/** Marks of a packet (`meta mark`) between our hooks. One that is lost makes the packet drop. */
export const marks = {
  /** Asks for an address by DHCP. */
  asks: 0x4857_0002,
  /** Its receiver's side is judged, and it may pass. */
  admitted: 0x4857_0003,
} as const

/**
 * The mark of a connection (`ct mark`): 26 bits say under which plan it was judged, the others which side is admitted at all (`known`) and which under that plan (`current`).
 * The sides are those of the connection: `originator` began it, and is judged by its egress; unless it was admitted the other way round (`turned`), on an answer that
 * it took for a beginning.
 */
export const epochs = 2 ** 26 - 1
export const epochMask = 0xffff_ffc0
export const knownMask = 0x35
export const sides = {
  originator: { known: 0x1, current: 0x2, turned: 0x10 },
  responder: { known: 0x4, current: 0x8, turned: 0x20 },
} as const
export type Side = keyof typeof sides

/** What a verdict is in a map: the number of what is decided in the upper 24 bits, its action in the lowest 3. */
export const actionNumbers = { allow: 1, 'allow-stateless': 2, drop: 3, reject: 4, inspect: 5 } as const
export const actionMask = 0x7
export const logFlag = 0x10
export const monitorFlag = 0x20
/** Told as often as a limit of its own allows. */
export const rateFlag = 0x40
export const outcomeShift = 8

/** Seconds within which a DHCP server's answer passes. */
export const dhcpWindow = 60
/** Packets that are told about go to this netlink group. */
export const logGroup = 18_519
