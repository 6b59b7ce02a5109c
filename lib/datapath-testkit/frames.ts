/** For tests: frames byte by byte, right in every field unless told otherwise. */
import { toAddressValue } from '@hyperward/model'

import { address, macOf } from './make-plan.ts'

export interface Ends {
  /** Endpoint numbers, or MACs as text. */
  readonly from: number | string
  readonly to: number | string
  readonly source: string
  readonly destination: string
}

export const protocol = { icmp: 1, tcp: 6, udp: 17, gre: 47, icmpv6: 58, sctp: 132 } as const

export function ethernet(to: number | string, from: number | string, type: number, payload: Uint8Array): Buffer {
  return Buffer.concat([mac(to), mac(from), u16(type), payload])
}

export interface IpOptions {
  readonly hopLimit?: number
  readonly fragment?: number
  /** IPv4 options or an IPv6 extension header before the payload; its first byte's meaning is the caller's. */
  readonly extra?: Uint8Array
  /** IPv6: what the fixed header says follows, when `extra` is given. */
  readonly nextHeader?: number
  readonly lengthOff?: number
}

/** IPv4 or IPv6 by the source's family. */
export function ip(ends: Ends, proto: number, payload: Uint8Array, options: IpOptions = {}): Buffer {
  const source = addressBytes(ends.source)
  const destination = addressBytes(ends.destination)
  const extra = options.extra ?? new Uint8Array()
  const lengthOff = options.lengthOff ?? 0
  if (source.length === 4) {
    const header = Buffer.alloc(20)
    header[0] = 0x40 | (5 + extra.length / 4)
    header.writeUInt16BE(20 + extra.length + payload.length + lengthOff, 2)
    header.writeUInt16BE(options.fragment ?? 0x4000, 6)
    header[8] = options.hopLimit ?? 64
    header[9] = proto
    source.copy(header, 12)
    destination.copy(header, 16)
    header.writeUInt16BE(checksum(Buffer.concat([header, extra])), 10)
    return ethernet(ends.to, ends.from, 0x0800, Buffer.concat([header, extra, payload]))
  }
  const header = Buffer.alloc(40)
  header[0] = 0x60
  header.writeUInt16BE(extra.length + payload.length + lengthOff, 4)
  header[6] = options.nextHeader ?? proto
  header[7] = options.hopLimit ?? 64
  source.copy(header, 8)
  destination.copy(header, 24)
  return ethernet(ends.to, ends.from, 0x86dd, Buffer.concat([header, extra, payload]))
}

export interface TcpOptions {
  readonly flags?: string
  readonly seq?: number
  readonly ack?: number
  readonly text?: string
  readonly options?: IpOptions
}

export function tcp(ends: Ends, sourcePort: number, destinationPort: number, options: TcpOptions = {}): Buffer {
  const header = Buffer.alloc(20)
  header.writeUInt16BE(sourcePort)
  header.writeUInt16BE(destinationPort, 2)
  header.writeUInt32BE(options.seq ?? 1000, 4)
  header.writeUInt32BE(options.ack ?? 0, 8)
  header[12] = 0x50
  for (const flag of options.flags ?? 'S') header[13] = (header[13] ?? 0) | (1 << 'FSRPA'.indexOf(flag))
  header.writeUInt16BE(1024, 14)
  const segment = Buffer.concat([header, Buffer.from(options.text ?? '')])
  return withSum(ends, protocol.tcp, segment, 16, options.options)
}

export function udp(
  ends: Ends,
  sourcePort: number,
  destinationPort: number,
  text = 'x',
  options: IpOptions = {},
): Buffer {
  const header = Buffer.concat([u16(sourcePort), u16(destinationPort), u16(8 + text.length), u16(0)])
  return withSum(ends, protocol.udp, Buffer.concat([header, Buffer.from(text)]), 6, options)
}

/** `body` follows the checksum: identifier and sequence, or what the type wants. */
export function icmp(ends: Ends, type: number, code: number, body: Uint8Array, options: IpOptions = {}): Buffer {
  const message = Buffer.concat([Buffer.from([type, code, 0, 0]), body])
  if (ends.source.includes(':')) return withSum(ends, protocol.icmpv6, message, 2, options)
  message.writeUInt16BE(checksum(message), 2)
  return ip(ends, protocol.icmp, message, options)
}

export function echo(ends: Ends, kind: 'request' | 'reply', id: number): Buffer {
  const six = ends.source.includes(':')
  const type = six ? (kind === 'request' ? 128 : 129) : kind === 'request' ? 8 : 0
  return icmp(ends, type, 0, Buffer.concat([u16(id), u16(1)]))
}

export function sctp(ends: Ends, sourcePort: number, destinationPort: number, chunk = 1): Buffer {
  const common = Buffer.concat([u16(sourcePort), u16(destinationPort), Buffer.from([0, 0, 0, 1, 0, 0, 0, 0])])
  // an INIT begins with the tag that answers shall carry, and common ones carry that of INIT's: 0
  if (chunk === 1) common.writeUInt32BE(0, 4)
  const packet = Buffer.concat([common, Buffer.from([chunk, 0, 0, 20, 0, 0, 0, 1]), Buffer.alloc(12, 1)])
  packet.writeUInt32LE(crc32c(packet), 8)
  return ip(ends, protocol.sctp, packet)
}

export function arp(
  to: number | string,
  from: number | string,
  op: number,
  sender: readonly [number | string, string],
  target: string,
): Buffer {
  const payload = [
    u16(1),
    u16(0x0800),
    Buffer.from([6, 4]),
    u16(op),
    mac(sender[0]),
    addressBytes(sender[1]),
    mac('00:00:00:00:00:00'),
    addressBytes(target),
  ]
  return ethernet(to, from, 0x0806, Buffer.concat(payload))
}

/** Router solicitation (133), neighbour solicitation (135) and advertisement (136), with a link-layer option (type, MAC) or none. */
export function neighbour(
  ends: Ends,
  type: number,
  target: string | null,
  option: readonly [number, number | string] | null,
  options: IpOptions = {},
): Buffer {
  const parts = [Buffer.alloc(4), target === null ? Buffer.alloc(0) : addressBytes(target)]
  if (option !== null) parts.push(Buffer.from([option[0], 1]), mac(option[1]))
  return icmp(ends, type, 0, Buffer.concat(parts), { hopLimit: 255, ...options })
}

/** What an ICMP error quotes: the IP header and 8 bytes (v4), or all (v6), of a frame. */
export function quoted(frame: Buffer): Buffer {
  const packet = frame.subarray(14)
  return Buffer.concat([Buffer.alloc(4), frame.readUInt16BE(12) === 0x0800 ? packet.subarray(0, 28) : packet])
}

export function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

export function swap(ends: Ends): Ends {
  return { from: ends.to, to: ends.from, source: ends.destination, destination: ends.source }
}

/** Of a received IPv4 or IPv6 frame: whether header and transport checksums are right. */
export function hasRightSums(frame: Buffer): boolean {
  const v4 = frame.readUInt16BE(12) === 0x0800
  if (v4 && checksum(frame.subarray(14, 34)) !== 0) return false
  const proto = v4 ? frame.readUInt8(23) : frame.readUInt8(20)
  const payload = frame.subarray(v4 ? 34 : 54, 14 + (v4 ? frame.readUInt16BE(16) : 40 + frame.readUInt16BE(18)))
  if (proto === protocol.icmp) return checksum(payload) === 0
  const addresses = frame.subarray(v4 ? 26 : 22, v4 ? 34 : 54)
  return checksum(Buffer.concat([addresses, u16(0), u16(proto), u16(payload.length), payload])) === 0
}

function withSum(ends: Ends, proto: number, segment: Buffer, at: number, options: IpOptions = {}): Buffer {
  const pseudo = [
    addressBytes(ends.source),
    addressBytes(ends.destination),
    u16(0),
    u16(proto),
    u16(segment.length),
    segment,
  ]
  segment.writeUInt16BE(checksum(Buffer.concat(pseudo)) || 0xffff, at)
  return ip(ends, proto, segment, options)
}

/** RFC 9260 appendix A. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffff_ffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f6_3b78 : crc >>> 1
  }
  return ~crc >>> 0
}

function checksum(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt8(at) * 256 + (bytes[at + 1] ?? 0)
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x1_0000)
  return ~sum & 0xffff
}

function addressBytes(text: string): Buffer {
  const value = toAddressValue(address(text))
  return Buffer.from(value.number.toString(16).padStart(value.family === 4 ? 8 : 32, '0'), 'hex')
}

function mac(of: number | string): Buffer {
  return Buffer.from((typeof of === 'number' ? macOf(of) : of).replaceAll(':', ''), 'hex')
}
