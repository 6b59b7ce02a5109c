import { expect, test } from 'vitest'

import { frameBytes, prepareFrames } from './frames.ts'
import { messageBytes, vectorBytes } from './libc.ts'

const flow = {
  sourceMac: '02:00:00:00:00:01',
  destinationMac: '02:00:00:00:00:02',
  sourceAddress: '10.9.0.1',
  destinationAddress: '10.9.0.2',
  destinationPort: 9000,
  sourcePorts: [1000, 1001, 65_535],
}

test('a frame is a 60-byte UDP packet whose two checksums a receiver accepts', () => {
  const [frames] = prepareFrames(flow).keep
  const frame = frames?.subarray(64, 64 + frameBytes) ?? Buffer.alloc(0)
  expect(frame.subarray(0, 14).toString('hex')).toBe('0200000000020200000000010800')
  expect(frame.readUInt16BE(16)).toBe(46)
  expect([...frame.subarray(26, 34)]).toEqual([10, 9, 0, 1, 10, 9, 0, 2])
  expect([frame.readUInt16BE(34), frame.readUInt16BE(36), frame.readUInt16BE(38)]).toEqual([1001, 9000, 26])
  expect(onesComplementSum([frame.subarray(14, 34)])).toBe(0xffff)
  const pseudoHeader = Buffer.concat([frame.subarray(26, 34), Buffer.from([0, 17, 0, 26])])
  expect(onesComplementSum([pseudoHeader, frame.subarray(34)])).toBe(0xffff)
})

test('each message points to its own vector, and each vector to its own whole frame', () => {
  const { messages, count, keep } = prepareFrames(flow)
  expect(count).toBe(3)
  const vectors = keep[1] ?? Buffer.alloc(0)
  const vectorAt = [0, 1, 2].map((index) => messages.readBigUInt64LE(index * messageBytes + 16))
  const frameAt = [0, 1, 2].map((index) => vectors.readBigUInt64LE(index * vectorBytes))
  expect(vectorAt.map((address) => address - (vectorAt[0] ?? 0n))).toEqual([0n, 16n, 32n])
  expect(frameAt.map((address) => address - (frameAt[0] ?? 0n))).toEqual([0n, 64n, 128n])
  expect([0, 1, 2].map((index) => vectors.readBigUInt64LE(index * vectorBytes + 8))).toEqual([60n, 60n, 60n])
})

function onesComplementSum(parts: readonly Buffer[]): number {
  let sum = 0
  for (const part of parts) for (let at = 0; at < part.length; at += 2) sum += part.readUInt16BE(at)
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
  return sum
}
