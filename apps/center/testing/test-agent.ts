/** An agent as the center sees one, over a real connection: a small model with state (what it holds), for tests and for a fleet of many. */
import { hostPlanFormat, parseDigest, type Digest, type Revision } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { toCenterTlsOptions, type Enrolled } from '@hyperward/pki'
import { digestPlan, isStale, parseHostPlan } from '@hyperward/policy'
import {
  assemblePlanText,
  centerMessageSchema,
  createPlanFetch,
  protocolVersion,
  type AgentMessage,
  type CenterMessage,
  type FetchedBodies,
  type HeldSection,
  type PlanMessage,
  type ReportedVm,
} from '@hyperward/protocol'
import { WebSocket } from 'ws'

export interface TestAgent {
  readonly host: string
  /** Everything the center said, in order. */
  readonly received: CenterMessage[]
  /** Announced revisions, in order. */
  readonly announced: number[]
  /** Plans that arrived whole, in order. */
  readonly plans: TestPlan[]
  /** Bytes of chunks that arrived. */
  chunkBytes(): number
  /** Resolves with the first plan (arrived already or later) that fits. */
  expectPlan(fits?: (plan: TestPlan) => boolean): Promise<TestPlan>
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

export interface TestPlan {
  readonly revision: number
  readonly digest: string
  readonly body: string
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

  const plans: TestPlan[] = []
  let bodies: FetchedBodies | null = null
  let chunkBytes = 0
  const fetch = createPlanFetch({
    sha256: sha256Hex,
    digestPlan: (told) =>
      digestPlan(
        host,
        {
          endpoints: toSection(told.endpoints),
          zones: toSection(told.zones),
          addresses: toSection(told.addresses),
          networks: toSection(told.networks),
          services: toSection(told.services),
          verdicts: toSection(told.verdicts),
          rules: toSection(told.rules),
        },
        sha256Hex,
      ),
    held: () =>
      bodies === null
        ? null
        : {
            endpoints: toHeld(bodies.endpoints),
            zones: toHeld(bodies.zones),
            addresses: toHeld(bodies.addresses),
            networks: toHeld(bodies.networks),
            services: toHeld(bodies.services),
            verdicts: toHeld(bodies.verdicts),
            rules: toHeld(bodies.rules),
          },
  })

  const onPlanMessage = (message: PlanMessage): void => {
    const step = fetch.onMessage(message)
    if (message.kind === 'plan-chunks') {
      for (const chunk of message.chunks) chunkBytes += Buffer.byteLength(chunk.body)
    }
    if (step.kind === 'ask') return send(step.message)
    if (step.kind === 'refused') throw new Error(`the center's frames are refused: ${step.reason}`)
    if (step.kind === 'wait') return
    const { revision, digest } = step
    const body = assemblePlanText({ format: hostPlanFormat, host, revision, digest }, step.bodies)
    fetch.clear()
    plans.push({ revision, digest, body })
    const parsed = parseHostPlan(body, sha256Hex)
    const refusal = !parsed.ok ? parsed.message : isOlder(held, parsed.plan) ? 'an older revision' : null
    if (refusal === null) {
      held = { revision, digest }
      bodies = step.bodies
    }
    const outcome = refusal === null ? 'applied' : 'refused'
    send({ kind: 'plan-result', revision, digest, outcome, reason: refusal, appliedInMs: 1 })
  }

  const onMessage = (message: CenterMessage): void => {
    if (message.kind === 'plan-available') {
      announced.push(message.revision)
      if (options.applies !== false && message.digest !== held.digest && fetch.asking() !== message.digest) {
        send(fetch.begin(message.digest))
      }
    }
    if (message.kind === 'plan-sections' || message.kind === 'plan-section' || message.kind === 'plan-chunks') {
      onPlanMessage(message)
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

  const find = <T>(what: string, look: () => T | undefined): Promise<T> =>
    new Promise((resolve, reject) => {
      const end = (): void => {
        listeners.delete(onChange)
        clearTimeout(timer)
      }
      const onChange = (): void => {
        const found = look()
        if (found === undefined) return
        end()
        resolve(found)
      }
      const timer = setTimeout(() => {
        end()
        reject(new Error(`no ${what} within ${waitMs} ms; received ${JSON.stringify(received).slice(0, 600)}`))
      }, waitMs)
      listeners.add(onChange)
      onChange()
    })

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
    plans,
    chunkBytes: () => chunkBytes,
    expectPlan: (fits) => find('plan', () => plans.find((plan) => fits === undefined || fits(plan))),
    expect: (kind, fits) =>
      find(kind, () => {
        for (const message of received) {
          // the kind was compared: the message is of that member of the union
          const typed = message as Extract<CenterMessage, { kind: typeof kind }>
          if (message.kind === kind && (fits === undefined || fits(typed))) return typed
        }
        return undefined
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

function toSection(text: string): { readonly digest: Digest; readonly chunks: readonly [] } {
  const digest = parseDigest(text)
  if (digest === null) throw new Error(`not a digest: ${text}`)
  return { digest, chunks: [] }
}

function toHeld(bodies: readonly string[]): HeldSection {
  const chunks = bodies.map((body) => ({ digest: sha256Hex(body), body: () => body }))
  return { digest: sha256Hex(chunks.map((chunk) => chunk.digest).join('\n')), chunks }
}
