/** Rows → bytes of map keys and values, as bpf/layout.h lays them out (little-endian hosts; what stands in packets is in network order). */
import {
  toAddressValue,
  toPrefixValue,
  type Action,
  type Address,
  type Direction,
  type RuleRef,
  type ServiceClass,
  type Verdict,
} from '@hyperward/model'

import type { EndpointRow, RuleLabel } from './desired.ts'
import type { AddressRow, VerdictRow } from './diff.ts'

export const layout = {
  address: { key: 16, value: 8 },
  network4: { key: 8, value: 4 },
  network6: { key: 20, value: 4 },
  services: { key: 4, value: 12 + 3 * 512 + 3 * 131_072 },
  verdict: { key: 12, value: 20 },
  endpoint: { key: 4, value: 20 },
  control: { key: 4, value: 16 },
  counter: { key: 4, value: 24 },
  drops: { key: 4, value: 256 },
  ruleName: { key: 4, value: 768 },
  endpointName: { key: 4, value: 64 },
  hook: { key: 4, value: 4 },
  conn: { key: 40, value: 104 },
  steering: { key: 4, value: 16 },
  gateway: { key: 4, value: 8 },
  gatewayState: { key: 4, value: 16 },
  gatewayCounter: { key: 4, value: 32 },
  gatewaySeen: { key: 4, value: 16 },
  gatewayName: { key: 4, value: 64 },
  event: 88,
} as const

export const actionNumbers: Readonly<Record<Action, number>> = {
  allow: 1,
  drop: 2,
  reject: 3,
  'allow-stateless': 4,
  inspect: 5,
}
export const directionNumbers: Readonly<Record<Direction, number>> = { ingress: 0, egress: 1 }
export const closedFlag = 1
/** Of a verdict: its rule has `log`; a monitor rule is named; that one has `log`. */
export const logFlag = 1
export const monitorFlag = 2
export const monitorLogFlag = 4

/** Where each protocol's classes begin in `struct services`, and how many there are. */
export const servicePlaces: ReadonlyMap<number, { readonly at: number; readonly count: number }> = new Map([
  [1, { at: 524, count: 256 }],
  [58, { at: 1036, count: 256 }],
  [6, { at: 1548, count: 65_536 }],
  [17, { at: 132_620, count: 65_536 }],
  [132, { at: 263_692, count: 65_536 }],
])
/** Classes of the protocols that have neither ports nor types, by protocol number. */
export const protocolClassesAt = 12

export function renderKey(index: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(index)
  return bytes
}

export function renderAddress(address: Address, bytes = Buffer.alloc(layout.address.key), at = 0): Buffer {
  const value = toAddressValue(address)
  if (value.family === 4) {
    bytes.writeUInt16BE(0xffff, at + 10)
    bytes.writeUInt32BE(Number(value.number), at + 12)
  } else {
    bytes.writeBigUInt64BE(value.number >> 64n, at)
    bytes.writeBigUInt64BE(value.number & 0xffff_ffff_ffff_ffffn, at + 8)
  }
  return bytes
}

export function renderAddressValue(row: AddressRow, bytes = Buffer.alloc(layout.address.value), at = 0): Buffer {
  bytes.writeUInt32LE(row.identity, at)
  bytes.writeUInt32LE(row.ifindex, at + 4)
  return bytes
}

/** Key of the prefix's trie, and which it is. */
export function renderNetwork(prefix: Parameters<typeof toPrefixValue>[0]): {
  readonly family: 4 | 6
  readonly key: Buffer
} {
  const value = toPrefixValue(prefix)
  if (value.family === 4) {
    const key = Buffer.alloc(layout.network4.key)
    key.writeUInt32LE(value.length)
    key.writeUInt32BE(Number(value.number), 4)
    return { family: 4, key }
  }
  const key = Buffer.alloc(layout.network6.key)
  key.writeUInt32LE(value.length)
  key.writeBigUInt64BE(value.number >> 64n, 4)
  key.writeBigUInt64BE(value.number & 0xffff_ffff_ffff_ffffn, 12)
  return { family: 6, key }
}

/** `label`: of the default drop; `ruleIndex`: where it counts. */
export function renderServices(
  services: readonly ServiceClass[],
  ruleIndex: number,
  label: RuleLabel | undefined,
): Buffer {
  const bytes = Buffer.alloc(layout.services.value)
  bytes.writeUInt32LE(ruleIndex)
  bytes.writeUInt32LE(label?.log === true ? logFlag : 0, 4)
  bytes.writeUInt32LE(label?.logRate ?? 0, 8)
  for (const service of services) {
    const place = servicePlaces.get(service.protocol)
    if (place === undefined) bytes.writeUInt16LE(service.class, protocolClassesAt + service.protocol * 2)
    else {
      for (let value = service.from; value <= service.to && value < place.count; value += 1) {
        bytes.writeUInt16LE(service.class, place.at + value * 2)
      }
    }
  }
  return bytes
}

export function renderVerdictKey(verdict: Verdict, bytes = Buffer.alloc(layout.verdict.key), at = 0): Buffer {
  bytes.writeUInt32LE(verdict.local, at)
  bytes.writeUInt32LE(verdict.peer, at + 4)
  bytes.writeUInt16LE(verdict.class, at + 8)
  bytes.writeUInt8(directionNumbers[verdict.direction], at + 10)
  return bytes
}

export function renderVerdictValue(
  { verdict, label, monitor }: VerdictRow,
  indexOf: (ref: RuleRef) => number,
  bytes = Buffer.alloc(layout.verdict.value),
  at = 0,
): Buffer {
  const flags =
    (label.log ? logFlag : 0) | (monitor === null ? 0 : monitorFlag) | (monitor?.log === true ? monitorLogFlag : 0)
  bytes.writeUInt32LE(indexOf(label.ref), at)
  bytes.writeUInt32LE(monitor === null ? 0 : indexOf(monitor.ref), at + 4)
  bytes.writeUInt32LE(label.logRate ?? 0, at + 8)
  bytes.writeUInt32LE(monitor?.logRate ?? 0, at + 12)
  bytes.writeUInt8(actionNumbers[verdict.action], at + 16)
  bytes.writeUInt8(flags, at + 17)
  bytes.writeUInt8(monitor === null ? 0 : actionNumbers[monitor.action], at + 18)
  return bytes
}

export function renderEndpoint(row: EndpointRow, index: number): Buffer {
  const bytes = Buffer.alloc(layout.endpoint.value)
  bytes.write(row.mac.replaceAll(':', ''), 0, 'hex')
  bytes.writeUInt16LE(row.zone, 6)
  bytes.writeUInt32LE(index, 8)
  bytes.writeUInt32LE(row.segment, 12)
  bytes.writeUInt32LE(row.closed ? closedFlag : 0, 16)
  return bytes
}

/** Zero-padded UTF-8 that ends with NUL; null when it does not fit. */
export function renderName(name: string, width: number): Buffer | null {
  const bytes = Buffer.alloc(width)
  return Buffer.byteLength(name) < width && bytes.write(name) >= 0 ? bytes : null
}
