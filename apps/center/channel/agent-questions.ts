/** Questions to one agent, each answered once by its id, or given up: after a while, or when the connection ends. */
import { OperationError } from '@hyperward/model'
import type { AgentMessage, CenterMessage, RealizedState } from '@hyperward/protocol'

export interface AgentQuestions {
  /** What the host's kernel holds. Fails with `agent.no-answer`. */
  readonly verify: () => Promise<RealizedState>
  readonly onVerified: (answer: Extract<AgentMessage, { kind: 'verified' }>) => void
  readonly end: () => void
}

/** Of one host at a time: nobody makes an agent read its tables over and over. */
const mostWaiting = 4

export function createAgentQuestions(
  host: string,
  send: (message: CenterMessage) => void,
  limitMs: number,
): AgentQuestions {
  const waiting = new Map<
    number,
    { readonly settle: (state: RealizedState) => void; readonly fail: (why: string) => void }
  >()
  let lastId = 0
  return {
    verify() {
      if (waiting.size >= mostWaiting) return Promise.reject(noAnswer(host, 'it has been asked several times already'))
      lastId += 1
      const id = lastId
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => fail(`none came within ${limitMs} ms`), limitMs)
        const done = (): void => {
          clearTimeout(timer)
          waiting.delete(id)
        }
        const fail = (why: string): void => {
          done()
          reject(noAnswer(host, why))
        }
        waiting.set(id, {
          settle: (state) => {
            done()
            resolve(state)
          },
          fail,
        })
        send({ kind: 'verify', id })
      })
    },
    onVerified({ id, state, reason }) {
      // late answers concern nobody any more
      const question = waiting.get(id)
      if (state === null) question?.fail(reason ?? 'it does not say why')
      else question?.settle(state)
    },
    end() {
      for (const { fail } of waiting.values()) fail('its connection ended')
    },
  }
}

function noAnswer(host: string, why: string): OperationError {
  return new OperationError('agent.no-answer', `${host} gave no answer: ${why}`, { host })
}
