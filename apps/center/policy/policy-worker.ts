/**
 * Long questions about policies in a thread of their own, so that agents and other requests are served meanwhile. One at a time; one that takes too long,
 * or too much memory, is given up with the thread. The thread starts when it is asked, and ends when it was not asked for a while.
 */
import { Worker } from 'node:worker_threads'

import { assertNever, OperationError } from '@hyperward/model'

import { createSerial } from '../services/serial.ts'
import type { PolicyQuestionKind, PolicyQuestionKinds } from './answer-question.ts'
import { PolicyInvalid } from './policy-invalid.ts'
import type { ThreadReply } from './policy-thread.ts'

export interface PolicyWorker {
  /** Fails as the question does, with `policy.question-too-long` when there is no answer in time. */
  ask<K extends PolicyQuestionKind>(
    kind: K,
    ask: PolicyQuestionKinds[K]['ask'],
  ): Promise<PolicyQuestionKinds[K]['answer']>
  /** Gives up what is asked now and whatever is asked after. */
  close(): Promise<void>
}

export interface PolicyWorkerOptions {
  readonly limitMs?: number | undefined
  readonly idleMs?: number
}

/** Memory of the thread, megabytes. */
const memoryLimit = 4096

export function createPolicyWorker({ limitMs = 60_000, idleMs = 30_000 }: PolicyWorkerOptions = {}): PolicyWorker {
  const serial = createSerial()
  let worker: Worker | null = null
  let idle: NodeJS.Timeout | null = null
  let closed = false

  const end = async (): Promise<void> => {
    const ended = worker
    worker = null
    if (idle !== null) clearTimeout(idle)
    await ended?.terminate()
  }

  const start = (): Worker => {
    const started = new Worker(new URL('policy-thread.ts', import.meta.url), {
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: memoryLimit },
    })
    // it never keeps the process
    started.unref()
    return started
  }

  /** Null: no answer in time, or the thread ended by itself. */
  const converse = async (question: unknown): Promise<ThreadReply | null> => {
    const asked = (worker ??= start())
    let lost: unknown = null
    const reply = await new Promise<ThreadReply | null>((resolve) => {
      const timer = setTimeout(() => answer(null), limitMs)
      const onExit = (): void => answer(null)
      const onError = (error: unknown): void => {
        lost = error
        answer(null)
      }
      const answer = (message: ThreadReply | null): void => {
        clearTimeout(timer)
        asked.off('message', answer).off('error', onError).off('exit', onExit)
        resolve(message)
      }
      asked.once('message', answer).once('error', onError).once('exit', onExit)
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a thread, not of a window
      asked.postMessage(question)
    })
    if (reply === null) await end()
    if (lost !== null && !isOutOfMemory(lost)) throw lost
    return reply
  }

  return {
    ask: (kind, ask) =>
      serial(async () => {
        if (idle !== null) clearTimeout(idle)
        const reply = closed ? null : await converse({ kind, ...ask })
        if (worker !== null) idle = setTimeout(() => void end(), idleMs).unref()
        if (reply === null) throw tooLong(limitMs)
        switch (reply.kind) {
          case 'answer':
            // as: the thread answers a question of this kind
            return reply.answer as PolicyQuestionKinds[typeof kind]['answer']
          case 'invalid':
            throw new PolicyInvalid(reply.diagnostics)
          case 'failed':
            throw new OperationError(reply.code, reply.message, reply.details)
          case 'defect':
            throw reply.error
          default:
            return assertNever(reply)
        }
      }),
    async close() {
      closed = true
      await end()
    },
  }
}

function tooLong(limitMs: number): OperationError {
  const message = `this could not be worked out within ${limitMs / 1000} s and the memory it may take; ask about fewer guarantees, rules or flows`
  return new OperationError('policy.question-too-long', message, { limitMs })
}

function isOutOfMemory(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY'
}
