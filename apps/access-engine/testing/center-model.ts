/** A small model of a center behind connections that can break: it stores reports once each, as the real one does by stream and number. */
import { sha256Hex } from '@hyperward/os'
import { cutSections } from '@hyperward/policy'
import {
  agentMessageSchema,
  servePlan,
  type AgentMessage,
  type CenterMessage,
  type PlanMessage,
  type ServedPlan,
  type ServedSection,
} from '@hyperward/protocol'
import type { HostPlan } from '@hyperward/model'

import type { Connection, ConnectionHandlers } from '../channel/channel-client.ts'

export interface CenterModel {
  connect(handlers: ConnectionHandlers): Connection
  send(message: CenterMessage): void
  breakConnection(reason: string): void
  /** All that arrived, in order, over all connections. */
  readonly received: AgentMessage[]
  /** Events stored, each batch once. */
  readonly stored: Extract<AgentMessage, { kind: 'events' }>[]
  /** `away`: nobody listens. `mute`: takes connections and messages, and never answers. */
  mode: 'there' | 'away' | 'mute'
  acknowledges: boolean
  connections: number
  /** Announced at each connect. */
  announced: HostPlan | null
  /** Done to each frame of a plan on its way. */
  damage: (message: PlanMessage) => PlanMessage
  /** Digests of the chunks that were sent. */
  readonly sentChunks: string[]
}

export function createCenterModel(): CenterModel {
  let current: ConnectionHandlers | null = null
  let lastSeq = 0
  let stream: string | undefined
  const model: CenterModel = {
    received: [],
    stored: [],
    mode: 'there',
    acknowledges: true,
    connections: 0,
    announced: null,
    damage: (message) => message,
    sentChunks: [],
    connect(handlers) {
      model.connections += 1
      const away = model.mode === 'away'
      setTimeout(() => {
        if (away) return handlers.onClose('connection refused')
        current = handlers
        handlers.onOpen()
      }, 1)
      return {
        send: (text) => setTimeout(() => receive(handlers, text), 1),
        close: (reason) => setTimeout(() => end(handlers, reason), 1),
        ping: () => setTimeout(() => model.mode === 'there' && current === handlers && handlers.onAlive(), 1),
        bufferedBytes: () => 0,
      }
    },
    send: (message) => current?.onText(JSON.stringify(message)),
    breakConnection(reason) {
      if (current !== null) end(current, reason)
    },
  }

  function end(handlers: ConnectionHandlers, reason: string): void {
    if (current === handlers) current = null
    handlers.onClose(reason)
  }

  function receive(from: ConnectionHandlers, text: string): void {
    if (current !== from || model.mode !== 'there') return
    const message = agentMessageSchema.parse(JSON.parse(text))
    model.received.push(message)
    switch (message.kind) {
      case 'hello':
        if (message.stream !== stream) lastSeq = 0
        stream = message.stream
        model.send({ kind: 'welcome', center: 'model', host: 'h', time: '2026-01-01T00:00:00.000Z' })
        if (model.announced !== null) {
          const { revision, digest } = model.announced
          model.send({ kind: 'plan-available', revision, digest })
        }
        return
      case 'fetch-plan':
      case 'fetch-sections':
      case 'fetch-chunks': {
        if (model.announced === null) return
        const answer = servePlan(message, toServed(model.announced))
        if (answer.kind === 'refused') throw new Error(answer.reason)
        return void sendAll(answer.frames)
      }
      case 'events':
      case 'inventory':
      case 'status':
        if (!model.acknowledges) return
        if (message.seq > lastSeq && message.kind === 'events') model.stored.push(message)
        lastSeq = Math.max(lastSeq, message.seq)
        return model.send({ kind: 'ack', seq: message.seq })
      case 'plan-result':
      case 'renew':
      case 'verified':
      case 'connections':
      case 'carried-in':
      case 'moved-out':
        return
    }
  }

  async function sendAll(frames: AsyncIterable<PlanMessage>): Promise<void> {
    for await (const frame of frames) {
      if (frame.kind === 'plan-chunks') model.sentChunks.push(...frame.chunks.map((chunk) => chunk.digest))
      model.send(model.damage(frame))
    }
  }

  return model
}

function toServed(plan: HostPlan): ServedPlan {
  const cut = cutSections(plan.sections, sha256Hex)
  const bodies = new Map<string, string>()
  const section = (name: keyof typeof cut): ServedSection => ({
    digest: cut[name].digest,
    chunks: cut[name].chunks.map(({ digest, items }) => {
      const body = JSON.stringify(items)
      bodies.set(digest, body)
      return { digest, bytes: Buffer.byteLength(body) }
    }),
  })
  return {
    revision: plan.revision,
    digest: plan.digest,
    sections: {
      endpoints: section('endpoints'),
      zones: section('zones'),
      addresses: section('addresses'),
      networks: section('networks'),
      services: section('services'),
      verdicts: section('verdicts'),
      rules: section('rules'),
    },
    readChunks: async (digests) => digests.map((digest) => ({ digest, body: bodies.get(digest) ?? '' })),
  }
}
