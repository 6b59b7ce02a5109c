/** Records of the ring buffer → events. */
import {
  dropReasons,
  toRuleRef,
  type DatapathEvent,
  type DropReason,
  type EndpointId,
  type FlowTuple,
  type HostName,
  type RuleRef,
} from '@hyperward/model'

import { actionName, decodeAddress, decodeMac } from './decode.ts'
import type { Names } from './observe.ts'
import { layout } from './render.ts'

/** Rules beyond the counters' number, and what was never attributed. */
export const overflowRef: RuleRef = toRuleRef('builtin', null, 'counters', 'overflow')

export interface EventContext {
  readonly host: HostName
  readonly names: Names
  /** Wall clock and CLOCK_MONOTONIC of one moment. */
  readonly now: Date
  readonly monotonicNs: bigint
}

const reasonNames = new Map<number, DropReason>(
  // entries forgets the keys' type
  Object.entries(dropReasons).map(([name, number]) => [number, name as DropReason]),
)

export function reasonName(number: number): DropReason | null {
  return reasonNames.get(number) ?? null
}

const ends = { 1: 'closed', 2: 'reset', 3: 'timeout', 4: 'revoked' } as const

/** null for a record of an endpoint that has no name (a tap without any entry, whose drops are only counted), and for what no program of ours writes. */
export function decodeEvent(bytes: Buffer, context: EventContext): DatapathEvent | null {
  if (bytes.length < layout.event) return null
  const endpoint = context.names.endpoints.nameOf(bytes.readUInt32LE(56))
  if (endpoint === null) return null
  const ageMs = Number(context.monotonicNs - bytes.readBigUInt64LE(0)) / 1e6
  const shared = {
    at: new Date(context.now.getTime() - ageMs).toISOString(),
    host: context.host,
    endpoint,
    direction: bytes.readUInt8(73) === 1 ? ('egress' as const) : ('ingress' as const),
    suppressed: bytes.readUInt32LE(64),
  }
  const rule = context.names.rules.nameOf(bytes.readUInt32LE(60)) ?? overflowRef
  switch (bytes.readUInt8(72)) {
    case 1:
      return decodeDrop(bytes, shared, rule)
    case 2:
      return decodeFlow(bytes, shared, rule, 'flow-start')
    case 3:
      return decodeFlow(bytes, shared, rule, 'flow-end')
    case 4:
      return decodeMonitored(bytes, shared, rule)
    default:
      return null
  }
}

interface Shared {
  readonly at: string
  readonly host: HostName
  readonly endpoint: EndpointId
  readonly direction: 'ingress' | 'egress'
  readonly suppressed: number
}

function decodeDrop(bytes: Buffer, shared: Shared, rule: RuleRef): DatapathEvent | null {
  const reason = reasonName(bytes.readUInt8(74))
  if (reason === null) return null
  return {
    ...shared,
    kind: 'drop',
    reason,
    rule: reason === 'policy' || reason === 'no-gateway' ? rule : null,
    action: bytes.readUInt8(75) === 3 ? 'reject' : 'drop',
    tuple: bytes.readUInt8(77) === 1 ? decodeTuple(bytes) : null,
    sourceMac: decodeMac(bytes, 78),
  }
}

function decodeMonitored(bytes: Buffer, shared: Shared, rule: RuleRef): DatapathEvent | null {
  const action = actionName(bytes.readUInt8(75))
  if (action === null) return null
  const size = { packets: Number(bytes.readBigUInt64LE(8)), bytes: Number(bytes.readBigUInt64LE(16)) }
  return { ...shared, kind: 'monitor', rule, action, tuple: decodeTuple(bytes), ...size }
}

function decodeFlow(bytes: Buffer, shared: Shared, rule: RuleRef, kind: 'flow-start' | 'flow-end'): DatapathEvent {
  const end = bytes.readUInt8(75)
  return {
    ...shared,
    kind,
    rule,
    tuple: decodeTuple(bytes),
    packets: Number(bytes.readBigUInt64LE(8)),
    bytes: Number(bytes.readBigUInt64LE(16)),
    end: end === 1 || end === 2 || end === 3 || end === 4 ? ends[end] : null,
  }
}

function decodeTuple(bytes: Buffer): FlowTuple {
  return {
    source: decodeAddress(bytes, 24),
    destination: decodeAddress(bytes, 40),
    protocol: bytes.readUInt8(76),
    sourcePort: bytes.readUInt16LE(68),
    destinationPort: bytes.readUInt16LE(70),
  }
}
