/** What nfnetlink_log tells of a packet → an event. The rule's prefix says what happened and at which side, the packet's mark which rule decided. */
import {
  dropReasons,
  parseMac,
  toAddress,
  type Address,
  type DatapathEvent,
  type DropReason,
  type EndpointId,
  type FlowTuple,
  type HostName,
  type RuleRef,
} from '@hyperward/model'

import type { Outcomes } from './outcomes.ts'

export interface EventContext {
  readonly host: HostName
  readonly now: Date
  readonly outcomes: Outcomes
  readonly defaultRule: RuleRef
  endpointAt(ifindex: number): EndpointId | null
  endpointOf(address: Address): EndpointId | null
}

/** linux/netfilter/nfnetlink_log.h */
const attribute = { packet: 1, mark: 2, inputDevice: 4, outputDevice: 5, hardware: 8, payload: 9, prefix: 10 } as const
const inet = new Set([2, 10])

const reasons = new Map<number, DropReason>(
  // entries forgets the keys' type
  Object.entries(dropReasons).map(([name, number]) => [number, name as DropReason]),
)

/** null for what no rule of ours logs, and for an endpoint that is not known (any more). */
export function decodeEvent(message: Buffer, context: EventContext): DatapathEvent | null {
  const fields = readAttributes(message)
  const [what, way, number] = (fields.get(attribute.prefix)?.toString('latin1') ?? '').replaceAll('\0', '').split(' ')
  if (way !== 'out' && way !== 'in') return null
  const etherType = fields.get(attribute.packet)?.readUInt16BE(0) ?? 0
  const payload = fields.get(attribute.payload) ?? Buffer.alloc(0)
  const tuple = decodeTuple(etherType, payload)
  const device = fields.get(way === 'out' ? attribute.inputDevice : attribute.outputDevice)?.readUInt32BE(0)
  const endpoint =
    (device === undefined ? null : context.endpointAt(device)) ??
    (tuple === null ? null : context.endpointOf(way === 'out' ? tuple.source : tuple.destination))
  if (endpoint === null) return null
  const mark = fields.get(attribute.mark)?.readUInt32BE(0) ?? 0
  const judged = inet.has(message.readUInt8(0)) ? context.outcomes.get(mark) : null
  const shared = {
    at: context.now.toISOString(),
    host: context.host,
    endpoint,
    direction: way === 'out' ? ('egress' as const) : ('ingress' as const),
    suppressed: 0,
  }
  const rule = judged?.ref ?? context.defaultRule
  if (what === 'drop') {
    const reason = reasons.get(Number(number))
    if (reason === undefined) return null
    const decided = reason === 'policy' || reason === 'no-gateway'
    const sourceMac = decodeMac(fields.get(attribute.hardware))
    if (sourceMac === null) return null
    const action = decided && judged?.action === 'reject' ? ('reject' as const) : ('drop' as const)
    return { ...shared, kind: 'drop', reason, rule: decided ? rule : null, action, tuple, sourceMac }
  }
  if (tuple === null) return null
  const size = { packets: 1, bytes: payload.length >= 4 ? totalLength(etherType, payload) : 0 }
  if (what === 'start') return { ...shared, kind: 'flow-start', rule, tuple, ...size, end: null }
  if (what !== 'monitor' || judged === null || judged.monitorRef === null || judged.monitorAction === null) return null
  return { ...shared, kind: 'monitor', rule: judged.monitorRef, action: judged.monitorAction, tuple, ...size }
}

/** After the 4 bytes of the group: attributes, each with its length and type. */
function readAttributes(message: Buffer): ReadonlyMap<number, Buffer> {
  const fields = new Map<number, Buffer>()
  for (let at = 4; at + 4 <= message.length;) {
    const length = message.readUInt16LE(at)
    if (length < 4 || at + length > message.length) break
    fields.set(message.readUInt16LE(at + 2) & 0x3fff, message.subarray(at + 4, at + length))
    at += (length + 3) & ~3
  }
  return fields
}

function decodeMac(hardware: Buffer | undefined): ReturnType<typeof parseMac> {
  if (hardware === undefined || hardware.length < 10) return null
  return parseMac([...hardware.subarray(4, 10)].map((byte) => byte.toString(16).padStart(2, '0')).join(':'))
}

function totalLength(etherType: number, payload: Buffer): number {
  if (etherType === 0x0800) return payload.readUInt16BE(2)
  return payload.length >= 6 ? payload.readUInt16BE(4) + 40 : 0
}

function decodeTuple(etherType: number, payload: Buffer): FlowTuple | null {
  const v4 = etherType === 0x0800
  if (!v4 && etherType !== 0x86dd) return null
  if (payload.length < (v4 ? 20 : 40)) return null
  const [from, length] = v4 ? [12, 4] : [8, 16]
  const address = (at: number): Address =>
    toAddress({ family: v4 ? 4 : 6, number: BigInt(`0x${payload.subarray(at, at + length).toString('hex')}`) })
  const protocol = payload.readUInt8(v4 ? 9 : 6)
  const transport = payload.subarray(v4 ? (payload.readUInt8(0) & 15) * 4 : 40)
  const [sourcePort, destinationPort] = decodePorts(protocol, transport)
  return { source: address(from), destination: address(from + length), protocol, sourcePort, destinationPort }
}

/** Of an ICMP query the identifier and its type, as eBPF's events have them. */
function decodePorts(protocol: number, transport: Buffer): readonly [number, number] {
  if (transport.length < 8) return [0, 0]
  if (protocol === 6 || protocol === 17 || protocol === 132)
    return [transport.readUInt16BE(0), transport.readUInt16BE(2)]
  if (protocol !== 1 && protocol !== 58) return [0, 0]
  const type = transport.readUInt8(0)
  return [[8, 13, 15, 17, 128].includes(type) ? transport.readUInt16BE(4) : 0, type]
}
