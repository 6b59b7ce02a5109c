/**
 * What the demo's policies mean, written down by hand beside them (examples/demo/*.yaml) and not derived from them:
 * a wrong compiler would otherwise agree with itself.
 */
import type { PeerName } from './topology.ts'

export type Protocol = 'tcp' | 'udp' | 'ping'
/** `passes`: an answer came back. `dropped`: silence. `rejected`: the network said no at once. */
export type Fate = 'passes' | 'dropped' | 'rejected'

export interface Expectation {
  readonly from: PeerName
  readonly to: PeerName
  readonly protocol: Protocol
  /** 0 for ping. */
  readonly port: number
  readonly fate: Fate
}

type Row = readonly [Fate, Protocol, PeerName, PeerName, number]

/** Drop rows beside each allow row; on one host and across hosts. Each row is tried over IPv4 and IPv6. */
const rowsBefore: readonly Row[] = [
  ['passes', 'tcp', 'outside', 'web-1', 80],
  ['dropped', 'tcp', 'outside', 'web-1', 8080],
  ['passes', 'tcp', 'mail-1', 'web-1', 80],
  ['passes', 'tcp', 'mail-1', 'web-2', 80],
  ['passes', 'tcp', 'web-1', 'app-1', 8080],
  ['passes', 'tcp', 'web-2', 'app-1', 8080],
  ['dropped', 'tcp', 'web-1', 'app-1', 5432],
  ['dropped', 'tcp', 'mail-1', 'app-1', 8080],
  ['passes', 'tcp', 'app-1', 'db-1', 5432],
  ['dropped', 'tcp', 'web-1', 'db-1', 5432],
  ['dropped', 'tcp', 'web-2', 'db-1', 5432],
  ['dropped', 'tcp', 'mail-1', 'db-1', 5432],
  ['dropped', 'tcp', 'outside', 'db-1', 5432],
  ['dropped', 'tcp', 'db-1', 'app-1', 8080],
  ['rejected', 'tcp', 'web-1', 'app-1', 22],
  ['rejected', 'tcp', 'web-2', 'app-1', 22],
  ['rejected', 'tcp', 'outside', 'web-1', 22],
  ['rejected', 'tcp', 'outside', 'web-2', 22],
  ['passes', 'udp', 'app-1', 'db-1', 9000],
  ['passes', 'udp', 'web-2', 'db-1', 9000],
  ['dropped', 'udp', 'mail-1', 'db-1', 9000],
  ['dropped', 'udp', 'app-1', 'web-1', 9000],
  ['passes', 'ping', 'web-1', 'app-1', 0],
  ['passes', 'ping', 'web-1', 'db-1', 0],
  ['dropped', 'ping', 'mail-1', 'web-2', 0],
  ['dropped', 'ping', 'web-1', 'mail-1', 0],
  ['dropped', 'tcp', 'web-1', 'mail-1', 25],
  ['passes', 'tcp', 'outside', 'mail-1', 25],
]

const rowsAfter: readonly Row[] = [
  ['dropped', 'tcp', 'app-1', 'db-1', 5432],
  ['dropped', 'udp', 'app-1', 'db-1', 9000],
  ['passes', 'udp', 'web-1', 'db-1', 9000],
  ['passes', 'tcp', 'web-1', 'db-1', 8081],
  ['passes', 'tcp', 'web-2', 'db-1', 8081],
  ['dropped', 'tcp', 'app-1', 'db-1', 8081],
  ['passes', 'tcp', 'web-1', 'app-1', 8080],
]

export const expectationsBefore = rowsBefore.map(toExpectation)
export const expectationsAfter = rowsAfter.map(toExpectation)

function toExpectation([fate, protocol, from, to, port]: Row): Expectation {
  return { from, to, protocol, port, fate }
}
