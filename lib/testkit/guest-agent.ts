import { connect } from 'node:net'

import { waitFor } from './wait-for.ts'

/** What became of a connection attempt. `ok` = the echo came back; `unreachable` = an ICMP error came back. */
export type ConnectOutcome = 'ok' | 'refused' | 'reset' | 'closed' | 'timeout' | 'unreachable' | `error ${string}`

export interface ConnectResult {
  readonly outcome: ConnectOutcome
  /** Name of the guest that answered. */
  readonly peer?: string
  readonly ms: number
}

/** Commands of the agent in test guests (guest/agent.cjs): arguments and result of each. */
export interface GuestCommands {
  ready: { args: object; result: { readonly name: string; readonly uptimeMs: number } }
  listen: { args: { readonly protocol: 'tcp' | 'udp'; readonly port: number }; result: { readonly listening: true } }
  unlisten: { args: { readonly protocol: 'tcp' | 'udp'; readonly port: number }; result: { readonly closed: boolean } }
  connect: {
    args: { readonly address: string; readonly port: number; readonly timeoutMs: number; readonly localPort?: number }
    result: ConnectResult
  }
  /** Opens a connection that stays open and echoes every 100 ms. `handle` only when the outcome is ok. */
  hold: {
    args: { readonly address: string; readonly port: number; readonly timeoutMs: number }
    result: ConnectResult & { readonly handle?: number }
  }
  /** How long ago the last echo came, and how the connection ended if it did. */
  held: { args: { readonly handle: number }; result: { readonly silentMs: number; readonly broken: string | null } }
  release: { args: { readonly handle: number }; result: { readonly released: boolean } }
  udp: {
    args: { readonly address: string; readonly port: number; readonly timeoutMs: number }
    result: ConnectResult
  }
  /** Granularity of the timeout is a second. */
  ping: {
    args: { readonly address: string; readonly timeoutMs: number }
    result: { readonly outcome: 'ok' | 'timeout' }
  }
  /** A busybox shell script inside the guest; code -1 = killed by the timeout. */
  sh: {
    args: { readonly script: string; readonly timeoutMs?: number }
    result: { readonly code: number; readonly stdout: string; readonly stderr: string }
  }
}

export interface GuestAgent {
  call<C extends keyof GuestCommands>(
    command: C,
    args: GuestCommands[C]['args'],
    timeoutMs?: number,
  ): Promise<GuestCommands[C]['result']>
  /** Resolves when the guest's agent answers. */
  ready(timeoutMs?: number): Promise<void>
}

/** A client of one guest's agent by its virtio-serial socket; calls run one after another (the port has one peer). */
export function createGuestAgent(socketPath: string): GuestAgent {
  let nextId = 1
  let queue: Promise<unknown> = Promise.resolve()
  const call: GuestAgent['call'] = (command, args, timeoutMs = 30_000) => {
    const one = (): Promise<never> => callOnce(socketPath, { ...args, id: nextId++, command }, timeoutMs)
    const result = queue.then(one, one)
    queue = result.catch(() => undefined)
    return result
  }
  return {
    call,
    ready: async (timeoutMs = 60_000) => {
      await waitFor(() => call('ready', {}, 500), { timeoutMs, intervalMs: 100, what: `the agent at ${socketPath}` })
    },
  }
}

// `never`: the answer's shape is the agent's, which is part of the lab; GuestCommands states it
function callOnce(
  socketPath: string,
  request: { readonly id: number; readonly command: string },
  timeoutMs: number,
): Promise<never> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath)
    const end = (error: Error | null, answer?: unknown): void => {
      clearTimeout(timer)
      socket.destroy()
      if (error === null) resolve(answer as never)
      else reject(error)
    }
    const timer = setTimeout(() => end(new Error(`the guest agent at ${socketPath} did not answer`)), timeoutMs)
    let text = ''
    socket.setEncoding('utf8')
    socket.on('connect', () => socket.write(`${JSON.stringify(request)}\n`))
    socket.on('error', (error) => end(error))
    socket.on('close', () => end(new Error(`${socketPath} was closed`)))
    socket.on('data', (chunk: string) => {
      text += chunk
      const lines = text.split('\n')
      text = lines.pop() ?? ''
      for (const line of lines) {
        // answers to calls that were given up carry other ids; a line may be cut where an earlier peer left
        const answer = parseLine(line)
        if (answer?.id !== request.id) continue
        end(typeof answer.error === 'string' ? new Error(answer.error) : null, answer)
      }
    })
  })
}

function parseLine(line: string): { readonly id?: unknown; readonly error?: unknown } | null {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' ? value : null
  } catch {
    return null
  }
}
