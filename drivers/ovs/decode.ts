/** Bodies of multipart replies → what stands on the bridge. Matches and instructions stay bytes: they are compared, not understood. */
export interface ObservedFlow {
  readonly table: number
  readonly priority: number
  readonly cookie: bigint
  readonly packets: number
  /** Hexadecimal. */
  readonly match: string
  readonly instructions: string
}

export interface ObservedGroup {
  readonly id: number
  readonly type: number
  readonly buckets: string
}

/** null for bytes that are no list of flows. */
export function decodeFlows(body: Buffer): readonly ObservedFlow[] | null {
  const flows: ObservedFlow[] = []
  for (let at = 0; at < body.length;) {
    const length = at + 56 <= body.length ? body.readUInt16BE(at) : 0
    if (length < 56 || at + length > body.length) return null
    const entry = body.subarray(at, at + length)
    const match = Math.ceil(entry.readUInt16BE(50) / 8) * 8
    if (match < 8 || 48 + match > length) return null
    flows.push({
      table: entry.readUInt8(2),
      priority: entry.readUInt16BE(12),
      cookie: entry.readBigUInt64BE(24),
      packets: Number(entry.readBigUInt64BE(32)),
      match: entry.toString('hex', 48, 48 + match),
      instructions: entry.toString('hex', 48 + match),
    })
    at += length
  }
  return flows
}

export function decodeGroups(body: Buffer): readonly ObservedGroup[] | null {
  const groups: ObservedGroup[] = []
  for (let at = 0; at < body.length;) {
    const length = at + 8 <= body.length ? body.readUInt16BE(at) : 0
    if (length < 8 || at + length > body.length) return null
    const entry = body.subarray(at, at + length)
    groups.push({ id: entry.readUInt32BE(4), type: entry.readUInt8(2), buckets: entry.toString('hex', 8) })
    at += length
  }
  return groups
}
