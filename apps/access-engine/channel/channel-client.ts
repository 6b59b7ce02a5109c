/**
 * The agent's end of the channel (lib/protocol): connects, says hello, keeps the connection alive, and connects again after a break with growing, jittered waits.
 * What it sends besides plans: `inventory` and `status` (the newest only: a newer one replaces one not yet sent) and the batches of the event outbox.
 * It knows nothing of plans or packets, and its failures change nothing on the data path.
 */
import { centerMessageSchema, type AgentMessage, type CenterMessage } from '@hyperward/protocol'
import { createBackoff } from '@hyperward/reconciler'

import type { EventOutbox } from './event-outbox.ts'

export type Inventory = Omit<Extract<AgentMessage, { kind: 'inventory' }>, 'kind' | 'seq'>
export type Status = Omit<Extract<AgentMessage, { kind: 'status' }>, 'kind' | 'seq'>
type Hello = Omit<Extract<AgentMessage, { kind: 'hello' }>, 'kind'>

export interface Connection {
  send(text: string): void
  /** Ends it at once; `onClose` still follows. */
  close(reason: string): void
  ping(): void
  /** Bytes given to `send` and not yet taken by the kernel. */
  bufferedBytes(): number
}

export interface ConnectionHandlers {
  readonly onOpen: () => void
  readonly onText: (text: string) => void
  /** Any sign of life: an answer to a ping, or a message. */
  readonly onAlive: () => void
  /** Exactly once, whether it was open or never became so. */
  readonly onClose: (reason: string) => void
}

export interface ChannelClientOptions {
  readonly connect: (handlers: ConnectionHandlers) => Connection
  readonly hello: () => Hello
  readonly outbox: EventOutbox
  readonly nextSeq: () => number
  /** All but `ack`, in order; `welcome` first. */
  readonly onMessage: (message: Exclude<CenterMessage, { kind: 'ack' }>) => void
  readonly onState: (state: ChannelState) => void
  readonly now: () => number
  readonly random: () => number
  readonly backoff?: { readonly minMs: number; readonly maxMs: number }
  readonly flushMs?: number
  readonly heartbeatMs?: number
  /** Without a sign of life for this long the connection is given up. */
  readonly deadAfterMs?: number
}

export type ChannelState =
  | { readonly kind: 'connected'; readonly since: number }
  | { readonly kind: 'disconnected'; readonly since: number; readonly reason: string }

export interface ChannelClient {
  start(): void
  /** Sent now, or not at all: for messages that a new connection makes anew (`fetch-plan`, `plan-result`, `renew`). False when there is no connection. */
  send(message: AgentMessage): boolean
  setInventory(inventory: Inventory): void
  setStatus(status: Status): void
  /** Sends waiting events without waiting for the next flush. */
  flush(): void
  /** Gives up the present connection, or the wait for the next one, so that the next one uses the present certificate. */
  reconnect(reason: string): void
  state(): ChannelState
  stop(): void
}

/** Beyond this the peer is not reading: nothing more is queued in the socket, the outbox keeps it. */
const maxBufferedBytes = 4 * 1024 * 1024

export function createChannelClient(options: ChannelClientOptions): ChannelClient {
  const { outbox, now } = options
  const backoff = createBackoff({ ...(options.backoff ?? { minMs: 500, maxMs: 30_000 }), random: options.random })
  const deadAfterMs = options.deadAfterMs ?? 25_000
  let connection: Connection | null = null
  let generation = 0
  let welcomed = false
  let lastAlive = 0
  let stopped = false
  let retry: NodeJS.Timeout | null = null
  let timers: NodeJS.Timeout[] = []
  let state: ChannelState = { kind: 'disconnected', since: now(), reason: 'not yet connected' }
  let inventory: Inventory | null = null
  let status: Status | null = null
  let unsentInventory = false
  let unsentStatus = false

  function setState(next: ChannelState): void {
    state = next
    options.onState(next)
  }

  function open(): void {
    retry = null
    generation += 1
    const mine = generation
    // a late call of a connection that was given up concerns nobody any more
    const guard =
      <A extends readonly unknown[]>(action: (...args: A) => void) =>
      (...args: A): void => {
        if (mine === generation && !stopped) action(...args)
      }
    lastAlive = now()
    connection = options.connect({
      onOpen: guard(() => sendNow({ kind: 'hello', ...options.hello() })),
      onText: guard((text) => {
        lastAlive = now()
        receive(text)
      }),
      onAlive: guard(() => {
        lastAlive = now()
      }),
      onClose: guard(lose),
    })
  }

  function receive(text: string): void {
    const message = parseMessage(text)
    if (message === null) return connection?.close('the center sent a message this agent does not understand')
    if (message.kind === 'ack') {
      outbox.acknowledge(message.seq)
      return flush()
    }
    if (message.kind === 'welcome') welcome()
    options.onMessage(message)
  }

  function welcome(): void {
    welcomed = true
    backoff.reset()
    setState({ kind: 'connected', since: now() })
    unsentInventory = inventory !== null
    unsentStatus = status !== null
    for (const batch of outbox.unacknowledged()) sendNow(batch)
    flush()
  }

  function lose(reason: string): void {
    generation += 1
    connection = null
    const was = state
    welcomed = false
    if (was.kind === 'connected' || was.reason !== reason) setState({ kind: 'disconnected', since: now(), reason })
    if (!stopped) retry = setTimeout(open, backoff.next())
  }

  function sendNow(message: AgentMessage): void {
    connection?.send(JSON.stringify(message))
  }

  function flush(): void {
    if (!welcomed || connection === null || connection.bufferedBytes() > maxBufferedBytes) return
    if (unsentInventory && inventory !== null) sendNow({ kind: 'inventory', seq: options.nextSeq(), ...inventory })
    unsentInventory = false
    if (unsentStatus && status !== null) sendNow({ kind: 'status', seq: options.nextSeq(), ...status })
    unsentStatus = false
    for (const batch of outbox.takeBatches()) sendNow(batch)
  }

  function beat(): void {
    if (connection === null) return
    if (now() - lastAlive <= deadAfterMs) return welcomed ? connection.ping() : undefined
    const dead = connection
    lose('the center does not answer')
    dead.close('no sign of life')
  }

  return {
    start() {
      open()
      timers = [setInterval(flush, options.flushMs ?? 250), setInterval(beat, options.heartbeatMs ?? 10_000)]
    },
    send(message) {
      if (!welcomed || connection === null) return false
      sendNow(message)
      return true
    },
    setInventory(next) {
      inventory = next
      unsentInventory = true
      flush()
    },
    setStatus(next) {
      status = next
      unsentStatus = true
      flush()
    },
    flush,
    reconnect(reason) {
      const old = connection
      if (old !== null) {
        lose(reason)
        old.close(reason)
      } else if (retry !== null) {
        clearTimeout(retry)
        backoff.reset()
        open()
      }
    },
    state: () => state,
    stop() {
      stopped = true
      if (retry !== null) clearTimeout(retry)
      for (const timer of timers) clearInterval(timer)
      connection?.close('the agent stops')
      connection = null
    },
  }
}

function parseMessage(text: string): CenterMessage | null {
  try {
    const parsed = centerMessageSchema.safeParse(JSON.parse(text))
    return parsed.success ? parsed.data : null
  } catch {
    // not JSON: as little understood as an unknown kind
    return null
  }
}
