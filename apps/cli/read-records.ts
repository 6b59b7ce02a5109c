/** What `flows --json`, `events --json` and `rules --json` printed, from a file or standard input. Another form is told, never guessed at. */
import type { FlowRecord, RuleRef } from '@hyperward/model'
import { toFlowRecords, type RuleUse } from '@hyperward/policy'
import { flowSchema, rulesSchema, type ApiFlow } from '@hyperward/protocol'
import { z } from 'zod'

import type { Io } from './command.ts'
import { cliError } from './failures.ts'
import { readDocument } from './read-document.ts'

const flowLists = z.looseObject({ flows: z.array(flowSchema) })
/** A line of `events --follow --json`. */
const followedLine = z.looseObject({ type: z.string(), flow: z.unknown().optional() })

export async function readFlowRecords(path: string, io: Pick<Io, 'stdin'>): Promise<readonly FlowRecord[]> {
  const { file, text } = await readDocument(path, io)
  return toFlowRecords(parseFlows(text, file))
}

/** Counters by rule; since when they count is not in what `rules` prints. */
export async function readHits(path: string, io: Pick<Io, 'stdin'>): Promise<ReadonlyMap<RuleRef, RuleUse>> {
  const { file, text } = await readDocument(path, io)
  const parsed = rulesSchema.safeParse(parseJson(text, file))
  if (!parsed.success) throw unreadable(file, 'hyperward rules --json', toProblem(parsed.error))
  // as: a reference that no rule of the policy has is never looked up
  return new Map(parsed.data.rules.map(({ rule, hits }) => [rule.ref as RuleRef, { hits, since: null }]))
}

function parseFlows(text: string, file: string): readonly ApiFlow[] {
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  const [first = ''] = lines
  // one answer, indented or not; else one record a line
  if (lines.length <= 1 || first.trim() === '{') {
    return parseLine(parseJson(text, file), file)
  }
  return lines.flatMap((line) => parseLine(parseJson(line, file), file))
}

/** An answer with its list, a line of the stream, or one record. */
function parseLine(value: unknown, file: string): readonly ApiFlow[] {
  const list = flowLists.safeParse(value)
  if (list.success) return list.data.flows
  const followed = followedLine.safeParse(value)
  if (followed.success && followed.data.type !== 'flow') return []
  const parsed = flowSchema.safeParse(followed.success ? followed.data.flow : value)
  if (parsed.success) return [parsed.data]
  throw unreadable(file, 'hyperward flows --json', toProblem(parsed.error))
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw unreadable(file, '--json', cause instanceof Error ? cause.message : String(cause))
  }
}

function toProblem({ issues: [issue] }: z.ZodError): string {
  return issue === undefined ? '' : `${issue.path.join('.')}: ${issue.message}`
}

function unreadable(path: string, command: string, problem: string): Error {
  return cliError('cli.records-unreadable', { path, command, problem: problem.slice(0, 200) })
}
