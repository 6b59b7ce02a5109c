/**
 * The sending thread: pinned to one CPU, a packet socket in every namespace it was asked for, and no other work.
 * On veth the whole way of a packet, up to the receiver's sink, runs in this thread's system call; so its CPU time is the cost of that way.
 */
import { parentPort, workerData } from 'node:worker_threads'

import { prepareFrames, type FlowSpec, type PreparedFrames } from './frames.ts'
import {
  closePacketSocket,
  maxMessages,
  messageBytes,
  openPacketSocket,
  pinThread,
  sendMessages,
  threadCpuNs,
} from './libc.ts'
import type { SenderAnswer, SenderCommand, Slice } from './sender.ts'

const sockets = new Map<string, number>()
const flows = new Map<string, PreparedFrames>()

// as: sender.ts starts this worker with exactly this
pinThread((workerData as { readonly cpu: number }).cpu)
parentPort?.on('message', (command: SenderCommand) => {
  let answer: SenderAnswer
  try {
    answer = { ok: true, slices: execute(command) }
  } catch (error) {
    answer = { ok: false, message: error instanceof Error ? error.message : String(error) }
  }
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
  parentPort?.postMessage(answer)
})

function execute(command: SenderCommand): readonly Slice[] {
  switch (command.kind) {
    case 'open':
      closeSocket(command.socket)
      sockets.set(command.socket, openPacketSocket(command.netns, command.device))
      return []
    case 'close':
      closeSocket(command.socket)
      return []
    case 'prepare':
      flows.set(command.flow, prepareFrames(toSpec(command)))
      return []
    case 'send':
      return command.turns.map((turn) =>
        sendSlice(find(sockets, turn.socket), find(flows, turn.flow), turn.from, turn.count),
      )
    case 'call':
      return [callEmpty(find(sockets, command.socket), command.calls)]
  }
}

function toSpec(command: Extract<SenderCommand, { readonly kind: 'prepare' }>): FlowSpec {
  return {
    ...command.spec,
    sourcePorts: Array.from({ length: command.frames }, (_, index) => command.firstSourcePort + index * command.step),
  }
}

/** What a slice costs when the kernel has nothing to do. */
function callEmpty(fd: number, calls: number): Slice {
  const nothing = Buffer.alloc(0)
  const wallStart = performance.now()
  const cpuStart = threadCpuNs()
  for (let call = 0; call < calls; call += 1) sendMessages(fd, nothing)
  const cpuNs = threadCpuNs() - cpuStart
  return { sent: calls * maxMessages, cpuNs, wallNs: (performance.now() - wallStart) * 1e6 }
}

/** Frames `from` … `from + count - 1` of a flow, wrapping round at its end. */
function sendSlice(fd: number, flow: PreparedFrames, from: number, count: number): Slice {
  let at = from % flow.count
  let sent = 0
  const wallStart = performance.now()
  const cpuStart = threadCpuNs()
  while (sent < count) {
    const some = Math.min(maxMessages, count - sent, flow.count - at)
    const taken = sendMessages(fd, flow.messages.subarray(at * messageBytes, (at + some) * messageBytes))
    sent += taken
    at = (at + taken) % flow.count
  }
  const cpuNs = threadCpuNs() - cpuStart
  return { sent, cpuNs, wallNs: (performance.now() - wallStart) * 1e6 }
}

function closeSocket(name: string): void {
  const fd = sockets.get(name)
  if (fd !== undefined) closePacketSocket(fd)
  sockets.delete(name)
}

function find<T>(map: ReadonlyMap<string, T>, key: string): T {
  const value = map.get(key)
  if (value === undefined) throw new Error(`the sender knows no ${key}`)
  return value
}
