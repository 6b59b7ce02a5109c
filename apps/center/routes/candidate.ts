import type { Candidate } from '../services/publisher.ts'

/** Of a request that carries a policy. */
export const bodyLimit = 16 * 1024 * 1024
export const defaultFile = 'policy.yaml'

/** The text of a request; null = the stored draft is meant. */
export function toCandidate(body: {
  readonly text?: string | undefined
  readonly file?: string | undefined
}): Candidate | null {
  return body.text === undefined ? null : { text: body.text, file: body.file ?? defaultFile }
}
