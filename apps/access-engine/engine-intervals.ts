/** Milliseconds. */
export interface EngineIntervals {
  /** Looks at libvirt without an event. */
  readonly follow: number
  readonly round: number
  readonly pollEvents: number
  readonly collectExpired: number
  /** A gateway that hangs is down after four of these. */
  readonly probeGateways: number
  readonly verify: number
  readonly status: number
  /** Looks at the saved identity while there is no connection. */
  readonly identity: number
  /** Looks whether the certificate is due. */
  readonly renewal: number
}

/** What changes is told by events and followed at once; the intervals find what no event tells, within 30 s: a look, a round and a read-back each fit in once. */
export const defaultIntervals: EngineIntervals = {
  follow: 12_000,
  round: 12_000,
  pollEvents: 100,
  collectExpired: 5000,
  probeGateways: 150,
  // every second round
  verify: 20_000,
  status: 5000,
  identity: 5000,
  renewal: 60_000,
}
