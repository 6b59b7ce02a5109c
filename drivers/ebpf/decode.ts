/** Bytes of the maps → rows: the other half of render.ts. */
import {
  toAddress,
  toIdentity,
  type Action,
  type Address,
  type AddressIdentity,
  type Direction,
  type EndpointId,
  type Mac,
  type Prefix,
  type PrefixIdentity,
  type RuleRef,
  type ServiceClass,
  type Verdict,
} from '@hyperward/model'

import type { EndpointRow, RuleLabel } from './desired.ts'
import {
  actionNumbers,
  closedFlag,
  layout,
  logFlag,
  monitorFlag,
  monitorLogFlag,
  protocolClassesAt,
  servicePlaces,
} from './render.ts'

export interface Entries {
  readonly count: number
  readonly keys: Buffer
  readonly values: Buffer
}

export function decodeAddress(bytes: Buffer, at: number): Address {
  const high = bytes.readBigUInt64BE(at)
  const low = bytes.readBigUInt64BE(at + 8)
  return high === 0n && low >> 32n === 0xffffn
    ? toAddress({ family: 4, number: low & 0xffff_ffffn })
    : toAddress({ family: 6, number: (high << 64n) | low })
}

export function decodeAddresses(entries: Entries): { addresses: AddressIdentity[]; owners: Map<Address, number> } {
  const addresses: AddressIdentity[] = []
  const owners = new Map<Address, number>()
  for (let i = 0; i < entries.count; i += 1) {
    const address = decodeAddress(entries.keys, i * layout.address.key)
    addresses.push({ address, identity: toIdentity(entries.values.readUInt32LE(i * layout.address.value)) })
    const ifindex = entries.values.readUInt32LE(i * layout.address.value + 4)
    if (ifindex !== 0) owners.set(address, ifindex)
  }
  return { addresses, owners }
}

export function decodeNetworks(four: Entries, six: Entries): PrefixIdentity[] {
  const networks: PrefixIdentity[] = []
  for (let i = 0; i < four.count; i += 1) {
    const at = i * layout.network4.key
    const address = toAddress({ family: 4, number: BigInt(four.keys.readUInt32BE(at + 4)) })
    networks.push(toNetwork(address, four.keys.readUInt32LE(at), four.values.readUInt32LE(i * 4)))
  }
  for (let i = 0; i < six.count; i += 1) {
    const at = i * layout.network6.key
    const number = (six.keys.readBigUInt64BE(at + 4) << 64n) | six.keys.readBigUInt64BE(at + 12)
    networks.push(
      toNetwork(toAddress({ family: 6, number }), six.keys.readUInt32LE(at), six.values.readUInt32LE(i * 4)),
    )
  }
  return networks
}

function toNetwork(address: Address, length: number, identity: number): PrefixIdentity {
  return { prefix: `${address}/${length}` as Prefix, identity: toIdentity(identity) }
}

export interface DecodedServices {
  readonly services: ServiceClass[]
  readonly defaultRule: number
  readonly defaultLog: boolean
  /** 0 = none. */
  readonly defaultRate: number
}

/** Runs of one class become one range; class 0 is what no rule names. */
export function decodeServices(bytes: Buffer): DecodedServices {
  const services: ServiceClass[] = []
  for (let protocol = 0; protocol < 256; protocol += 1) {
    const place = servicePlaces.get(protocol) ?? { at: protocolClassesAt + protocol * 2, count: 1 }
    let from = 0
    for (let value = 1; value <= place.count; value += 1) {
      const number = bytes.readUInt16LE(place.at + from * 2)
      if (value < place.count && bytes.readUInt16LE(place.at + value * 2) === number) continue
      if (number !== 0) services.push({ protocol, from, to: value - 1, class: number })
      from = value
    }
  }
  return {
    services,
    defaultRule: bytes.readUInt32LE(0),
    defaultLog: (bytes.readUInt32LE(4) & logFlag) !== 0,
    defaultRate: bytes.readUInt32LE(8),
  }
}

const actions: ReadonlyMap<number, Action> = new Map(
  // entries forgets the keys' type
  Object.entries(actionNumbers).map(([name, number]) => [number, name as Action]),
)
export function actionName(number: number): Action | null {
  return actions.get(number) ?? null
}

const directions: Readonly<Record<number, Direction>> = { 0: 'ingress', 1: 'egress' }

/** Rows name rules by numbers made here; 0 is the default. null when a row makes no sense. */
export function decodeVerdicts(
  entries: Entries,
  defaultRule: RuleLabel,
  nameOf: (index: number) => RuleRef | null,
): { verdicts: Verdict[]; rules: Map<number, RuleLabel> } | null {
  const rules = new Map<number, RuleLabel>([[0, defaultRule]])
  const numbers = new Map<string, number>()
  const numberOf = (ref: RuleRef, action: Action, log: boolean, logRate: number): number => {
    const key = `${action} ${log} ${logRate} ${ref}`
    const found = numbers.get(key)
    if (found !== undefined) return found
    const number = rules.size
    numbers.set(key, number)
    rules.set(number, { ref, action, log, ...(logRate === 0 ? {} : { logRate }) })
    return number
  }
  const verdicts: Verdict[] = []
  for (let i = 0; i < entries.count; i += 1) {
    const key = i * layout.verdict.key
    const value = i * layout.verdict.value
    const action = actions.get(entries.values.readUInt8(value + 16))
    const direction = directions[entries.keys.readUInt8(key + 10)]
    const ref = nameOf(entries.values.readUInt32LE(value))
    const flags = entries.values.readUInt8(value + 17)
    if (action === undefined || direction === undefined || ref === null) return null
    const verdict: Verdict = {
      direction,
      local: toIdentity(entries.keys.readUInt32LE(key)),
      peer: toIdentity(entries.keys.readUInt32LE(key + 4)),
      class: entries.keys.readUInt16LE(key + 8),
      action,
      rule: numberOf(ref, action, (flags & logFlag) !== 0, entries.values.readUInt32LE(value + 8)),
    }
    if ((flags & monitorFlag) === 0) {
      verdicts.push(verdict)
      continue
    }
    const monitorRef = nameOf(entries.values.readUInt32LE(value + 4))
    const wouldBe = actions.get(entries.values.readUInt8(value + 18))
    if (monitorRef === null || wouldBe === undefined) return null
    const rate = entries.values.readUInt32LE(value + 12)
    verdicts.push({ ...verdict, monitor: numberOf(monitorRef, wouldBe, (flags & monitorLogFlag) !== 0, rate) })
  }
  return { verdicts, rules }
}

/** null when the row's endpoint has no name: it was written by something else. */
export function decodeEndpoint(
  ifindex: number,
  value: Buffer,
  nameOf: (index: number) => EndpointId | null,
): EndpointRow | null {
  const endpoint = nameOf(value.readUInt32LE(8))
  if (endpoint === null) return null
  return {
    ifindex,
    endpoint,
    mac: decodeMac(value, 0),
    zone: value.readUInt16LE(6),
    segment: value.readUInt32LE(12),
    closed: (value.readUInt32LE(16) & closedFlag) !== 0,
  }
}

export function decodeMac(bytes: Buffer, at: number): Mac {
  return [...bytes.subarray(at, at + 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':') as Mac
}

export function decodeName(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return bytes.toString('utf8', 0, end < 0 ? bytes.length : end)
}
