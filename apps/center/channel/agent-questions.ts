/** Questions to one agent, each answered once by its id, or given up: after a while, or when the connection ends. */
import { OperationError } from '@hyperward/model'
import type { AgentMessage, CenterMessage, RealizedState } from '@hyperward/protocol'

export interface AgentAsking {
  /** What the host's kernel holds. Each fails with `agent.no-answer`. */
  readonly verify: () => Promise<RealizedState>
  readonly exportConnections: (vm: string) => Promise<string>
  readonly importConnections: (vm: string, carried: string) => Promise<void>
  /** Resolves when the VM has left; `onStopped` is given its connections when it stops at that host. */
  readonly moveOut: (request: MoveOut, onStopped: (carried: string) => void) => Promise<void>
}

export interface MoveOut {
  readonly vm: string
  readonly destination: string
  readonly migrateUri: string | null
}

type Answer = Extract<AgentMessage, { kind: 'verified' | 'connections' | 'carried-in' | 'moved-out' }>

export interface AgentQuestions extends AgentAsking {
  readonly onAnswer: (answer: Answer) => void
  readonly end: () => void
}

/** Of one host at a time: nobody makes an agent read its tables over and over. */
const mostWaiting = 4
/** A migration takes as long as its memory needs. */
const moveLimitMs = 3_600_000

export function createAgentQuestions(
  host: string,
  send: (message: CenterMessage) => void,
  limitMs: number,
): AgentQuestions {
  const waiting = new Map<
    number,
    { readonly take: (answer: Answer) => boolean; readonly fail: (why: string) => void; readonly end: () => void }
  >()
  let lastId = 0

  /** `read` gives null for an answer that is not the last one. */
  const ask = <T>(
    toMessage: (id: number) => CenterMessage,
    read: (answer: Answer) => { readonly value: T } | null,
    withinMs = limitMs,
  ): Promise<T> => {
    if (waiting.size >= mostWaiting) return Promise.reject(noAnswer(host, 'it has been asked several times already'))
    lastId += 1
    const id = lastId
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(`none came within ${withinMs} ms`), withinMs)
      timer.unref()
      const end = (): void => {
        clearTimeout(timer)
        waiting.delete(id)
      }
      const fail = (why: string): void => {
        end()
        reject(noAnswer(host, why))
      }
      const take = (answer: Answer): boolean => {
        const answered = read(answer)
        if (answered !== null) resolve(answered.value)
        return answered !== null
      }
      waiting.set(id, { take, fail, end })
      send(toMessage(id))
    })
  }

  return {
    verify: () =>
      ask(
        (id) => ({ kind: 'verify', id }),
        (answer) => (answer.kind === 'verified' && answer.state !== null ? { value: answer.state } : null),
      ),
    exportConnections: (vm) =>
      ask(
        (id) => ({ kind: 'export-connections', id, vm }),
        (answer) => (answer.kind === 'connections' && answer.carried !== null ? { value: answer.carried } : null),
      ),
    importConnections: (vm, carried) =>
      ask(
        (id) => ({ kind: 'import-connections', id, vm, carried }),
        (answer) => (answer.kind === 'carried-in' ? { value: undefined } : null),
      ),
    moveOut: (request, onStopped) =>
      ask(
        (id) => ({ kind: 'move-out', id, ...request }),
        (answer) => {
          if (answer.kind === 'connections' && answer.carried !== null) onStopped(answer.carried)
          return answer.kind === 'moved-out' ? { value: undefined } : null
        },
        moveLimitMs,
      ),
    onAnswer(answer) {
      // late answers concern nobody any more
      const question = waiting.get(answer.id)
      if (answer.reason !== null) question?.fail(answer.reason)
      else if (question?.take(answer) === true) question.end()
    },
    end() {
      for (const { fail } of waiting.values()) fail('its connection ended')
    },
  }
}

function noAnswer(host: string, why: string): OperationError {
  return new OperationError('agent.no-answer', `${host} gave no answer: ${why}`, { host })
}
