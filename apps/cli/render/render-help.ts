/** Help pages, from the command table and the catalogue alone. The same functions make the pages of docs/cli.md. */
import type { Locale } from '@hyperward/catalogue'

import type { CommandSpec, OptionSpec, PositionalSpec } from '../command-table/command-spec.ts'
import { commandSections, isCommandName, specOf, type CommandName } from '../command-table/command-table.ts'
import { globalOptions } from '../command-table/global-options.ts'
import { exitCodes } from '../exit-codes.ts'
import { displayWidth } from '../terminal/display-width.ts'
import type { Style } from '../terminal/style.ts'
import { wrap } from '../terminal/wrap.ts'
import { createText } from '../text.ts'

const pageWidth = 96

export function renderOverview(locale: Locale, style: Style): readonly string[] {
  const text = createText(locale)
  const sections = commandSections.flatMap(({ title, names }) => [
    '',
    style('bold', text(title)),
    ...alignPairs(names.filter(isCommandName).map((name) => [name, text(specOf(name).summary)] as const)),
  ])
  return [
    text('cli.title'),
    '',
    `${style('bold', text('cli.help.usage'))}: hyperward COMMAND [OPTIONS] …`,
    ...sections,
    '',
    style('bold', text('cli.help.global')),
    ...alignPairs(optionPairs(locale, globalOptions)),
    '',
    text('cli.help.more'),
  ]
}

export function renderCommandHelp(locale: Locale, name: CommandName, style: Style): readonly string[] {
  const text = createText(locale)
  const spec = specOf(name)
  const options = optionPairs(locale, spec.options)
  return [
    text(spec.summary),
    '',
    `${style('bold', text('cli.help.usage'))}: ${toUsage(name)}`,
    '',
    ...wrap(text(spec.about), pageWidth),
    ...(options.length === 0 ? [] : ['', style('bold', text('cli.help.options')), ...alignPairs(options)]),
    '',
    style('bold', text('cli.help.global')),
    ...alignPairs(optionPairs(locale, globalOptions)),
    '',
    style('bold', text('cli.help.examples')),
    ...spec.examples.map((example) => `  ${example}`),
    '',
    style('bold', text('cli.help.exits')),
    ...alignPairs(
      spec.exits
        .toSorted((left, right) => exitCodes[left] - exitCodes[right])
        .map((exit) => [String(exitCodes[exit]), text(`cli.exit.${exit}`)] as const),
    ),
  ]
}

export function toUsage(name: CommandName): string {
  const spec: CommandSpec = specOf(name)
  const positionals = spec.positionals.map(toPositionalUsage)
  return ['hyperward', name, ...positionals, ...(Object.keys(spec.options).length === 0 ? [] : ['[OPTIONS]'])].join(' ')
}

export function toOptionUsage(name: string, spec: OptionSpec): string {
  const short = spec.short === undefined ? '' : `-${spec.short}, `
  return `${short}--${name}${spec.type === 'string' ? ` ${spec.value ?? ''}` : ''}`
}

export function toOptionText(locale: Locale, spec: OptionSpec): string {
  const text = createText(locale)
  const choices =
    spec.choices === undefined ? '' : ` (${text('cli.help.choices', { choices: spec.choices.join(', ') })})`
  return text(spec.text) + choices
}

function toPositionalUsage({ name, required, repeated, choices }: PositionalSpec): string {
  const shown = choices === undefined ? name : choices.join('|')
  const usage = required ? shown : `[${shown}]`
  return repeated === true ? `${usage}…` : usage
}

type Pair = readonly [string, string]

function optionPairs(locale: Locale, options: Readonly<Record<string, OptionSpec>>): readonly Pair[] {
  return Object.entries(options).map(([name, spec]) => [toOptionUsage(name, spec), toOptionText(locale, spec)] as const)
}

/** Two columns; the second is wrapped under itself. */
function alignPairs(pairs: readonly Pair[]): readonly string[] {
  const width = Math.max(...pairs.map(([left]) => displayWidth(left)))
  return pairs.flatMap(([left, right]) => {
    const [first = '', ...more] = wrap(right, pageWidth - width - 4)
    const indent = ' '.repeat(width + 4)
    return [`  ${left}${' '.repeat(width - displayWidth(left))}  ${first}`, ...more.map((line) => indent + line)]
  })
}
