/** Ready-made 60-byte UDP frames with their message headers, so that sending costs one system call per 1,024 packets and no work per packet. */
import { addressOf, messageBytes, vectorBytes } from './libc.ts'

export const frameBytes = 60
/** Frames start this far apart, each on its own cache line. */
const frameStride = 64
const headerBytes = 14
const ipBytes = 20

export interface FlowSpec {
  readonly sourceMac: string
  readonly destinationMac: string
  readonly sourceAddress: string
  readonly destinationAddress: string
  readonly destinationPort: number
  /** One frame each, in this order. */
  readonly sourcePorts: readonly number[]
}

/** `messages` is an array of struct mmsghdr; `keep` holds the memory it points into. */
export interface PreparedFrames {
  readonly messages: Buffer
  readonly count: number
  readonly keep: readonly Buffer[]
}

export function prepareFrames(flow: FlowSpec): PreparedFrames {
  const count = flow.sourcePorts.length
  const frames = Buffer.alloc(count * frameStride)
  const vectors = Buffer.alloc(count * vectorBytes)
  const messages = Buffer.alloc(count * messageBytes)
  const framesAt = addressOf(frames)
  const vectorsAt = addressOf(vectors)
  for (const [index, sourcePort] of flow.sourcePorts.entries()) {
    writeFrame(frames.subarray(index * frameStride, index * frameStride + frameBytes), flow, sourcePort)
    vectors.writeBigUInt64LE(framesAt + BigInt(index * frameStride), index * vectorBytes)
    vectors.writeBigUInt64LE(BigInt(frameBytes), index * vectorBytes + 8)
    // struct msghdr: name, namelen, iov (at 16), iovlen (at 24), control, controllen, flags
    messages.writeBigUInt64LE(vectorsAt + BigInt(index * vectorBytes), index * messageBytes + 16)
    messages.writeBigUInt64LE(1n, index * messageBytes + 24)
  }
  return { messages, count, keep: [frames, vectors] }
}

function writeFrame(frame: Buffer, flow: FlowSpec, sourcePort: number): void {
  frame.write(flow.destinationMac.replaceAll(':', ''), 0, 'hex')
  frame.write(flow.sourceMac.replaceAll(':', ''), 6, 'hex')
  frame.writeUInt16BE(0x0800, 12)
  const ip = frame.subarray(headerBytes)
  ip.writeUInt8(0x45, 0)
  ip.writeUInt16BE(frame.length - headerBytes, 2)
  ip.writeUInt16BE(0x4000, 6)
  ip.writeUInt8(64, 8)
  ip.writeUInt8(17, 9)
  ip.set(toBytes(flow.sourceAddress), 12)
  ip.set(toBytes(flow.destinationAddress), 16)
  ip.writeUInt16BE(checksum(sumWords(ip.subarray(0, ipBytes))), 10)
  const udp = ip.subarray(ipBytes)
  udp.writeUInt16BE(sourcePort, 0)
  udp.writeUInt16BE(flow.destinationPort, 2)
  udp.writeUInt16BE(udp.length, 4)
  const pseudoHeader = sumWords(ip.subarray(12, 20)) + 17 + udp.length
  udp.writeUInt16BE(checksum(pseudoHeader + sumWords(udp)), 6)
}

function toBytes(address: string): readonly number[] {
  return address.split('.').map(Number)
}

function sumWords(bytes: Buffer): number {
  let sum = 0
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at)
  return sum
}

/** RFC 1071. */
function checksum(sum: number): number {
  let folded = sum
  while (folded > 0xffff) folded = (folded & 0xffff) + (folded >>> 16)
  return ~folded & 0xffff
}
