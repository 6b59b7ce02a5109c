/** The demo's world: two hosts, five guests of two tenants, and one machine outside that no host protects. */

export const hostNames = ['north', 'south'] as const
export type DemoHost = (typeof hostNames)[number]

export interface DemoGuest {
  readonly name: string
  readonly uuid: string
  readonly host: DemoHost
  readonly tenant: string
  readonly labels: Readonly<Record<string, string>>
  readonly mac: string
  readonly v4: string
  readonly v6: string
}

export const guests = {
  'web-1': guest(1, 'north', 'acme', { app: 'shop', tier: 'web' }, '10.20.0.11', 'fd00:20::11'),
  'app-1': guest(2, 'north', 'acme', { app: 'shop', tier: 'app' }, '10.20.0.21', 'fd00:20::21'),
  'web-2': guest(3, 'south', 'acme', { app: 'shop', tier: 'web' }, '10.20.0.12', 'fd00:20::12'),
  'db-1': guest(4, 'south', 'acme', { app: 'shop', tier: 'db' }, '10.20.0.31', 'fd00:20::31'),
  'mail-1': guest(5, 'south', 'globex', { app: 'mail' }, '10.30.0.41', 'fd00:30::41'),
} as const satisfies Record<string, Omit<DemoGuest, 'name'>>

export type GuestName = keyof typeof guests

export const guestNames = Object.keys(guests) as readonly GuestName[] // as: the keys of a constant

/** A machine on the same network that belongs to nobody here. */
export const outside = {
  name: 'outside',
  host: 'north',
  mac: '02:00:5e:00:99:05',
  v4: '10.99.0.5',
  v6: 'fd00:99::5',
} as const

export type PeerName = GuestName | typeof outside.name

export function addressOf(name: PeerName, family: 4 | 6): string {
  const peer = name === outside.name ? outside : guests[name]
  return family === 4 ? peer.v4 : peer.v6
}

/** All networks of the demo are one segment (10.0.0.0/8, fd00::/16): nothing but policy keeps them apart. */
export const prefixLengths = { 4: 8, 6: 16 } as const

function guest(
  index: number,
  host: DemoHost,
  tenant: string,
  labels: Readonly<Record<string, string>>,
  v4: string,
  v6: string,
): Omit<DemoGuest, 'name'> {
  const hex = String(index).padStart(2, '0')
  return {
    uuid: `d0d0d0d0-0000-4000-8000-0000000000${hex}`,
    host,
    tenant,
    labels,
    mac: `52:54:00:d0:00:${hex}`,
    v4,
    v6,
  }
}
