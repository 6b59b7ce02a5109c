/** docs/cli.md, from the command table. `node apps/cli/write-docs.ts` writes it; a test checks it fresh. */
import type { OptionSpec } from '../command-table/command-spec.ts'
import { commandSections, isCommandName, specOf, type CommandName } from '../command-table/command-table.ts'
import { globalOptions } from '../command-table/global-options.ts'
import { exitCodes, type ExitName } from '../exit-codes.ts'
import { createText } from '../text.ts'
import { toOptionText, toOptionUsage, toUsage } from './render-help.ts'

const text = createText('en')

export function renderDocs(): string {
  const exits = Object.keys(exitCodes) as readonly ExitName[] // as: the keys of a constant
  const lines = [
    '# The command line',
    '',
    '<!-- Generated from apps/cli/command-table by `node apps/cli/write-docs.ts`: edit there. -->',
    '',
    '`./hyperward COMMAND [OPTIONS] …`. Results go to stdout, what is said about the run to stderr. With `--json`, stdout holds what the',
    'center’s API gave, less what a filter left out (one object; one a line for `events --follow`; offline commands answer in the same shape), and a failure is one JSON object `{code, message, details}` on stderr.',
    '',
    'Where the center is: `--center`, `--ca`, `--token-file`; or `HYPERWARD_CENTER`, `HYPERWARD_CA`, `HYPERWARD_TOKEN_FILE`; or what `login` stored',
    'in `~/.config/hyperward/config.json` (`XDG_CONFIG_HOME`). The token is only ever in its file, which nobody else may be able to read.',
    'Colour is for terminals only, and never with `NO_COLOR`.',
    '',
    '## Exit codes',
    '',
    '| code | means |',
    '| --- | --- |',
    ...exits.map((exit) => `| ${exitCodes[exit]} | ${text(`cli.exit.${exit}`)} |`),
    '',
    '## Options of every command',
    '',
    ...toOptionRows(globalOptions),
    ...commandSections.flatMap(({ title, names }) => [
      '',
      `## ${text(title)}`,
      ...names.filter(isCommandName).flatMap(renderCommand),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

function renderCommand(name: CommandName): readonly string[] {
  const spec = specOf(name)
  const exits = spec.exits.map((exit) => exitCodes[exit]).toSorted((left, right) => left - right)
  return [
    '',
    `### ${name}`,
    '',
    `${text(spec.summary)}.`,
    '',
    `    ${toUsage(name)}`,
    '',
    text(spec.about),
    ...(Object.keys(spec.options).length === 0 ? [] : ['', ...toOptionRows(spec.options)]),
    '',
    ...spec.examples.map((example) => `    ${example}`),
    '',
    `Exit codes: ${exits.join(', ')}.`,
  ]
}

function toOptionRows(options: Readonly<Record<string, OptionSpec>>): readonly string[] {
  const rows = Object.entries(options).map(
    ([name, spec]) => `| \`${toOptionUsage(name, spec)}\` | ${toOptionText('en', spec)} |`,
  )
  return ['| option | means |', '| --- | --- |', ...rows]
}
