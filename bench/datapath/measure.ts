/**
 * CPU time per packet of a subject beside the plain bridge. The one sending thread takes turns between the two, some milliseconds each, and the medians
 * of the turns are compared: whatever slows the machine down meanwhile slows both.
 */
import { deniedPort, measuredPort, receiverEndpoint, senderEndpoint } from './endpoints.ts'
import { readSink, type Lab } from './lab.ts'
import type { Sender, Slice, Turn } from './sender.ts'

export type Traffic = 'established' | 'first'

export interface Comparison {
  readonly baseNs: number
  readonly subjectNs: number
  readonly ratio: number
}

/** One turn aims at this long, so that a shape that needs a millisecond per packet ends too. */
const turnNs = 20e6
const leastPackets = 64
const mostPackets: Readonly<Record<Traffic, number>> = { established: 8192, first: 2048 }
/** Lost packets make the cost look lower than it is. */
const leastDelivered = 0.99

const establishedPort = 1000
const firstPort = 1024
/** Source ports 1024..65535: each is used once per subject, so that each packet is its flow's first. */
export const firstFrames = 65_536 - firstPort

/** Once per run, before anything is measured. */
export async function prepareFlows(sender: Sender): Promise<void> {
  const forward = {
    sourceMac: senderEndpoint.mac,
    destinationMac: receiverEndpoint.mac,
    sourceAddress: senderEndpoint.address,
    destinationAddress: receiverEndpoint.address,
  }
  const backward = {
    sourceMac: receiverEndpoint.mac,
    destinationMac: senderEndpoint.mac,
    sourceAddress: receiverEndpoint.address,
    destinationAddress: senderEndpoint.address,
  }
  const allowed = { ...forward, destinationPort: measuredPort }
  const denied = { ...forward, destinationPort: deniedPort }
  const reply = { ...backward, destinationPort: establishedPort }
  const one = { kind: 'prepare', step: 0, firstSourcePort: establishedPort } as const
  await sender.command({ ...one, flow: 'established', spec: allowed, frames: 1024 })
  await sender.command({ ...one, flow: 'denied', spec: denied, frames: 64 })
  await sender.command({ ...one, flow: 'reply', spec: reply, frames: 64, firstSourcePort: measuredPort })
  await sender.command({
    kind: 'prepare',
    flow: 'first',
    spec: allowed,
    firstSourcePort: firstPort,
    step: 1,
    frames: firstFrames,
  })
}

/** Opens `<name>-out` at the lab's sender and `<name>-in` at its receiver. */
export async function openLab(sender: Sender, name: string, lab: Lab): Promise<void> {
  await sender.command({ kind: 'open', socket: `${name}-out`, netns: lab.senderNetns, device: 'eth0' })
  await sender.command({ kind: 'open', socket: `${name}-in`, netns: lab.receiverNetns, device: 'eth0' })
}

export async function closeLab(sender: Sender, name: string): Promise<void> {
  await sender.command({ kind: 'close', socket: `${name}-out` })
  await sender.command({ kind: 'close', socket: `${name}-in` })
}

/** Sends the flow and its reply once, so that the flow is established; throws unless both passed, and what no rule allows did not. */
export async function checkEnforcement(sender: Sender, name: string, lab: Lab, denies: boolean): Promise<void> {
  const send = (socket: string, flow: string, count: number): Promise<readonly Slice[]> =>
    sender.command({ kind: 'send', turns: [{ socket, flow, from: 0, count }] })
  await send(`${name}-out`, 'established', 4)
  await send(`${name}-in`, 'reply', 4)
  await send(`${name}-out`, 'denied', 64)
  const { allowed, denied } = await readSink(lab.receiverNetns)
  const { replies } = await readSink(lab.senderNetns)
  const expected = denies ? 0 : 64
  if (allowed !== 4 || replies !== 4 || denied !== expected) {
    throw new Error(
      `not in force: of 4 allowed packets ${allowed} arrived, of 4 replies ${replies}, of 64 forbidden packets ${denied}`,
    )
  }
}

/** `base` and `subject` are names given to {@link openLab}. Throws if packets were lost. */
export async function compare(
  sender: Sender,
  traffic: Traffic,
  base: string,
  subject: string,
  subjectLab: Lab,
  rounds: number,
): Promise<Comparison> {
  const before = (await readSink(subjectLab.receiverNetns)).allowed
  const turn = (socket: string, from: number, count: number): Turn => ({
    socket: `${socket}-out`,
    flow: traffic,
    from,
    count,
  })
  // how many packets fit in a turn
  const [probe] = await sender.command({ kind: 'send', turns: [turn(subject, 0, leastPackets)] })
  const perPacket = Math.max(1, (probe?.cpuNs ?? 0) / leastPackets)
  const most = mostPackets[traffic]
  const count = Math.round(Math.max(leastPackets, Math.min(most, turnNs / perPacket)))
  const sent = leastPackets + count * (rounds + 1)
  if (traffic === 'first' && sent > firstFrames) throw new Error('too many rounds: a first packet would be sent twice')
  const turns = Array.from({ length: rounds + 1 }, (_, round) => [
    turn(base, round * most, most),
    turn(subject, leastPackets + round * count, count),
  ]).flat()
  // the first round only warms up
  const slices = (await sender.command({ kind: 'send', turns })).slice(2)
  const delivered = (await readSink(subjectLab.receiverNetns)).allowed - before
  if (delivered < sent * leastDelivered) throw new Error(`only ${delivered} of ${sent} packets arrived (${traffic})`)
  const baseSlices = slices.filter((_, index) => index % 2 === 0)
  const subjectSlices = slices.filter((_, index) => index % 2 === 1)
  const cost = (some: readonly Slice[]): number => median(some.map((slice) => slice.cpuNs / slice.sent))
  const baseNs = cost(baseSlices)
  const subjectNs = cost(subjectSlices)
  return { baseNs, subjectNs, ratio: subjectNs / baseNs }
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle]
  const lower = sorted[sorted.length % 2 === 0 ? middle - 1 : middle]
  if (upper === undefined || lower === undefined) throw new Error('median of nothing')
  return (lower + upper) / 2
}
