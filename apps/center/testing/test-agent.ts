/** An agent as the center sees one, over a real connection: a small model with state (what it holds), for tests and for a fleet of many. */
import type { Digest, Revision } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { toCenterTlsOptions, type Enrolled } from '@hyperward/pki'
import { isStale, parseHostPlan } from '@hyperward/policy'
import {
  centerMessageSchema,
  protocolVersion,
  type AgentMessage,
  type CenterMessage,
  type ReportedVm,
} from '@hyperward/protocol'
import { WebSocket } from 'ws'

export interface TestAgent {
  readonly host: string
  /** Everything the center said, in order. */
  readonly received: CenterMessage[]
  /** Announced revisions, in order. */
  readonly announced: number[]
  held(): { readonly revision: number; readonly digest: string | null }
  send(message: AgentMessage): void
  sendText(text: string): void
  reportInventory(vms: readonly ReportedVm[]): Promise<void>
  /** Resolves with the first message (received already or later) that fits. */
  expect<K extends CenterMessage['kind']>(
    kind: K,
    fits?: (message: Extract<CenterMessage, { kind: K }>) => boolean,
  ): Promise<Extract<CenterMessage, { kind: K }>>
  /** Stops reading: what the center sends waits at the center. */
  stopReading(): void
  /** Resolves when the center has closed the connection: the close code. */
  closed(): Promise<number>
  close(): Promise<void>
}

export interface TestAgentOptions {
  /** Fetches and applies what is announced, as a real one does; default true. */
  readonly applies?: boolean
  readonly held?: { readonly revision: number; readonly digest: string | null }
  readonly stream?: string
  readonly firstSeq?: number
  readonly hello?: boolean
  /** Answers heartbeats; default true. */
  readonly answers?: boolean
}

const waitMs = 8000

/** Rejects when the center refuses the connection, with the HTTP status or the TLS error in the message. */
export async function connectAgent(
  url: string,
  enrolled: Enrolled,
  options: TestAgentOptions = {},
): Promise<TestAgent> {
  const { keyPem, certificatePem, caPem, host } = enrolled
  const socket = new WebSocket(`${url.replace('https', 'wss')}/v1/agent`, {
    ...toCenterTlsOptions(caPem, { keyPem, certificatePem }),
    perMessageDeflate: false,
    autoPong: options.answers !== false,
  })
  const received: CenterMessage[] = []
  const announced: number[] = []
  const listeners = new Set<() => void>()
  let held = options.held ?? { revision: 0, digest: null }
  let seq = options.firstSeq ?? 0
  const send = (message: AgentMessage): void => socket.send(JSON.stringify(message))
  const ended = new Promise<number>((resolve) => socket.on('close', (code) => resolve(code)))

  const onMessage = (message: CenterMessage): void => {
    if (message.kind === 'plan-available') {
      announced.push(message.revision)
      if (options.applies !== false && message.digest !== held.digest)
        send({ kind: 'fetch-plan', digest: message.digest })
    }
    if (message.kind === 'plan' && options.applies !== false) {
      const parsed = parseHostPlan(message.body, sha256Hex)
      const { revision, digest } = message
      const refusal = !parsed.ok ? parsed.message : isOlder(held, parsed.plan) ? 'an older revision' : null
      if (refusal === null) held = { revision, digest }
      const outcome = refusal === null ? 'applied' : 'refused'
      send({ kind: 'plan-result', revision, digest, outcome, reason: refusal, appliedInMs: 1 })
    }
  }
  socket.on('message', (data: Buffer) => {
    const message = centerMessageSchema.parse(JSON.parse(data.toString('utf8')))
    received.push(message)
    onMessage(message)
    for (const listener of listeners) listener()
  })

  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve())
    socket.once('error', reject)
  })
  socket.on('error', () => undefined)
  if (options.hello !== false) {
    send({
      kind: 'hello',
      protocol: protocolVersion,
      software: 'test',
      heldRevision: held.revision,
      heldDigest: held.digest,
      kernel: 'test',
      ...(options.stream === undefined ? {} : { stream: options.stream }),
    })
  }

  const agent: TestAgent = {
    host,
    received,
    announced,
    held: () => held,
    send,
    sendText: (text) => socket.send(text),
    async reportInventory(vms) {
      seq += 1
      const mine = seq
      send({ kind: 'inventory', seq: mine, vms: [...vms] })
      await agent.expect('ack', (message) => message.seq === mine)
    },
    expect: (kind, fits) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          for (const message of received) {
            // the kind was compared: the message is of that member of the union
            const typed = message as Extract<CenterMessage, { kind: typeof kind }>
            if (message.kind !== kind || (fits !== undefined && !fits(typed))) continue
            listeners.delete(look)
            clearTimeout(timer)
            return resolve(typed)
          }
        }
        const timer = setTimeout(() => {
          listeners.delete(look)
          reject(new Error(`no ${kind} within ${waitMs} ms; received ${JSON.stringify(received).slice(0, 600)}`))
        }, waitMs)
        listeners.add(look)
        look()
      }),
    stopReading: () => socket.pause(),
    closed: () => ended,
    async close() {
      socket.close()
      await ended
    },
  }
  return agent
}

function isOlder(
  held: { readonly revision: number; readonly digest: string | null },
  offered: Parameters<typeof isStale>[1],
): boolean {
  if (held.digest === null) return false
  // the test's own numbers and digests came from the center's messages, which were parsed
  return isStale({ host: offered.host, revision: held.revision as Revision, digest: held.digest as Digest }, offered)
}
