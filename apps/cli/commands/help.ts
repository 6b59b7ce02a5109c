import { nearest } from '@hyperward/catalogue'

import { commandNames, isCommandName, type CommandName } from '../command-table/command-table.ts'
import type { Run } from '../command.ts'
import { renderCommandHelp, renderOverview } from '../render/render-help.ts'
import { UsageError } from '../usage-error.ts'

export const help: Run<'help'> = async ({ positionals, context: { out, locale } }) => {
  const words = positionals.join(' ')
  const topics = words === '' ? [] : findTopics(words)
  const pages =
    topics.length === 0
      ? [renderOverview(locale, out.style)]
      : topics.map((name) => renderCommandHelp(locale, name, out.style))
  pages.forEach((page, index) => {
    if (index > 0) out.line('')
    page.forEach(out.styledLine)
  })
  return 'ok'
}

/** The command itself, or those a first word stands for (`vms`). */
function findTopics(words: string): readonly CommandName[] {
  if (isCommandName(words)) return [words]
  const below = commandNames.filter((name) => name.startsWith(`${words} `))
  if (below.length === 0)
    throw UsageError.of('cli.usage.unknown-command', { text: words, nearest: nearest(words, commandNames) })
  return below
}
