import { listRuleChanges, type ChangedRule, parsePolicy } from '@hyperward/policy'
import {
  diffResultSchema,
  draftSchema,
  publishedSchema,
  type ApiDiffResult,
  type ApiVerdictChange,
} from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import type { Center } from '../connection/center.ts'
import { readEndpoints } from '../connection/find-vm.ts'
import type { ExitName } from '../exit-codes.ts'
import { ExpectationFailure, type Sources } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'
import { toDiagnostics, withSources } from '../read-diagnostics.ts'
import type { Document } from '../read-document.ts'
import { readPolicyDocument, toSources } from '../read-policy.ts'
import { tellDifference } from '../render/tell-difference.ts'
import { tellWarnings } from '../render/tell-warnings.ts'
import { toRuleName } from '../render/to-words.ts'
import type { Cell } from '../terminal/render-table.ts'
import type { StyleName } from '../terminal/style.ts'
import type { Text } from '../text.ts'
import { UsageError } from '../usage-error.ts'

export const diff: Run<'diff'> = async ({ values, positionals: paths, context }) => {
  const { against, inventory, 'against-inventory': inventoryBefore } = values
  if (against !== undefined || inventory !== undefined || inventoryBefore !== undefined) {
    if (paths.length === 0) throw UsageError.of('cli.usage.needs', { first: '--inventory', second: 'FILE' }, 'diff')
    if (inventory === undefined) {
      const first = against === undefined ? '--against-inventory' : '--against'
      throw UsageError.of('cli.usage.needs', { first, second: '--inventory' }, 'diff')
    }
    if (against === undefined && inventoryBefore === undefined) {
      throw UsageError.of('cli.usage.needs', { first: '--inventory', second: '--against' }, 'diff')
    }
    const { diffFiles } = await import('../diff-files.ts')
    const before = against === undefined ? undefined : [against]
    const found = await diffFiles({ before, after: paths, inventory, inventoryBefore }, context.io)
    if (!context.globals.json) tellWarnings(context, found.warnings, found.sources)
    const tellVerdicts = (): void => tellDifference(context, found.diff)
    const changed = found.diff.total > 0 || found.diff.unchecked > 0
    return tell(context, { ...found, tellVerdicts, changed }, values['exit-code'])
  }
  const document = paths.length === 0 ? null : await readPolicyDocument(paths, context.io)
  const sources: Sources = document === null ? new Map() : toSources(document)
  const center = await context.connect()
  const route = 'POST /v1/policy/diff'
  const answer = await withSources(sources, center.ask(route, { body: document ?? {} }))
  if (context.globals.json && !values['exit-code']) return (context.out.json(answer), 'ok')
  const result = readAnswer(route, diffResultSchema, answer)
  const rules = await readRuleChanges(center, document)
  const names = new Map(
    (await readEndpoints(center)).map(({ id, vm, tenant }) => [id, tenant === null ? vm.name : `${tenant}/${vm.name}`]),
  )
  if (!context.globals.json) tellWarnings(context, toDiagnostics(result.warnings), sources)
  const tellVerdicts = (): void => tellChanges(context, result, names)
  return tell(context, { tellVerdicts, changed: result.changes.length > 0, rules, answer }, values['exit-code'])
}

/** The center tells verdicts; what happened to the list of rules is read off the two texts. */
async function readRuleChanges(center: Center, document: Document | null): Promise<readonly ChangedRule[]> {
  const published = readAnswer(
    'GET /v1/policy/published',
    publishedSchema,
    await center.ask('GET /v1/policy/published'),
  )
  const after =
    document?.text ??
    readAnswer('GET /v1/policy/draft', draftSchema, await center.ask('GET /v1/policy/draft')).text ??
    ''
  const parsedAfter = parsePolicy(after, document?.file ?? 'draft')
  const parsedBefore = published.text === null ? null : parsePolicy(published.text, 'published')
  // both were accepted by the center; a text this version cannot read has no list to compare
  if (!parsedAfter.ok || parsedBefore?.ok === false) return []
  return listRuleChanges(parsedBefore?.value ?? { ...parsedAfter.value, rules: [] }, parsedAfter.value)
}

interface Told {
  readonly tellVerdicts: () => void
  /** Some verdict changes, or may. */
  readonly changed: boolean
  readonly rules: readonly ChangedRule[]
  readonly answer: unknown
}

function tell(context: CommandContext, { tellVerdicts, changed, rules, answer }: Told, exitCode: boolean): ExitName {
  const { out, text, globals } = context
  if (globals.json) out.json(answer)
  else {
    tellVerdicts()
    tellRules(context, rules)
  }
  if (exitCode && (changed || rules.length > 0)) throw new ExpectationFailure(text('cli.said.differs'))
  return 'ok'
}

function tellChanges(
  { out, text }: CommandContext,
  { changes, more }: ApiDiffResult,
  names: ReadonlyMap<string, string>,
): void {
  if (changes.length === 0) return out.line(text('cli.said.no-change'))
  out.styledLine(out.style('bold', text('cli.said.changes', { n: changes.length + more })))
  out.table(
    [
      { title: text('cli.column.from') },
      { title: text('cli.column.to') },
      { title: text('cli.column.service') },
      { title: text('cli.column.before') },
      { title: text('cli.column.after') },
    ],
    changes.map((change) => [
      toMembers(text, change.source, names),
      toMembers(text, change.destination, names),
      change.services.join(', '),
      toDecided(text, change.before),
      toDecided(text, change.after),
    ]),
  )
  if (more > 0) out.line(text('cli.said.more-changes', { n: more }))
}

function toMembers(
  text: Text,
  { members, more }: ApiVerdictChange['source'],
  names: ReadonlyMap<string, string>,
): string {
  const shown = members.map((member) => (member === 'world' ? text('cli.word.world') : (names.get(member) ?? member)))
  // one VM with several addresses stands once
  return [...new Set(shown), ...(more > 0 ? [text('cli.word.and-more', { n: more })] : [])].join(' ')
}

function toDecided(text: Text, { action, rule }: ApiVerdictChange['before']): Cell {
  const words = `${text(`cli.verdict.${action}`)} – ${toRuleName(text, rule)}`
  return { text: words, style: action === 'allow' ? 'green' : 'red' }
}

const styles: Readonly<Record<ChangedRule['change'], StyleName>> = {
  added: 'green',
  removed: 'red',
  changed: 'yellow',
  moved: 'cyan',
}

function tellRules({ out, text }: CommandContext, rules: readonly ChangedRule[]): void {
  if (rules.length === 0) return out.line(text('cli.said.no-rule-change'))
  out.line('')
  out.table(
    [{ title: text('cli.said.rules-changed') }, { title: '' }],
    rules.map(({ change, rule }) => [
      { text: text(`cli.said.rule-${change}`), style: styles[change] },
      toRuleName(text, rule),
    ]),
  )
}
