/** Entry of the thread that `createPolicyWorker` starts: one question at a time, each answered by one message. */
import { parentPort } from 'node:worker_threads'

import { OperationError, type Diagnostic, type OperationErrorCode } from '@hyperward/model'

import { answerers, type PolicyQuestion } from './answer-question.ts'
import { PolicyInvalid } from './policy-invalid.ts'

/** Errors lose their class on the way between threads. */
export type ThreadReply =
  | { readonly kind: 'answer'; readonly answer: unknown }
  | { readonly kind: 'invalid'; readonly diagnostics: readonly Diagnostic[] }
  | {
      readonly kind: 'failed'
      readonly code: OperationErrorCode
      readonly message: string
      readonly details: OperationError['details']
    }
  | { readonly kind: 'defect'; readonly error: Error }

parentPort?.on('message', (question: PolicyQuestion) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- of a thread, not of a window
  parentPort?.postMessage(reply(question))
})

function reply(question: PolicyQuestion): ThreadReply {
  try {
    return { kind: 'answer', answer: answer(question) }
  } catch (error) {
    if (error instanceof PolicyInvalid) return { kind: 'invalid', diagnostics: error.diagnostics }
    if (error instanceof OperationError) {
      return { kind: 'failed', code: error.code, message: error.message, details: error.details }
    }
    return { kind: 'defect', error: error instanceof Error ? error : new Error(String(error)) }
  }
}

function answer(question: PolicyQuestion): unknown {
  // as: the kind of a question says which answerer takes it
  return (answerers[question.kind] as (ask: PolicyQuestion) => unknown)(question)
}
