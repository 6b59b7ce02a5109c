/**
 * argv → a command with its values, by the command table alone. Options may stand before or after the command's name; `--` ends them.
 * Everything wrong is a UsageError with the nearest right word.
 */
import { nearest } from '@hyperward/catalogue'

import type { OptionSpec } from './command-table/command-spec.ts'
import {
  commandNames,
  isCommandName,
  specOf,
  type CommandName,
  type GlobalValues,
} from './command-table/command-table.ts'
import { globalOptions } from './command-table/global-options.ts'
import { UsageError } from './usage-error.ts'

/** Values as the table types them for the command; `commands/` see them through CommandValues. */
export type Values = Readonly<Record<string, boolean | string | readonly string[] | undefined>>

export interface Invocation {
  readonly command: CommandName
  readonly values: Values
  readonly globals: GlobalValues
  readonly positionals: readonly string[]
}

type Options = Readonly<Record<string, OptionSpec>>

export function parseArguments(argv: readonly string[]): Invocation {
  const { command, rest } = takeCommand(argv)
  const spec = specOf(command)
  const options: Options = { ...globalOptions, ...spec.options }
  const { values, positionals } = readValues(command, options, rest)
  const globals = pick(globalOptions, values) as GlobalValues // as: readValues checked each by its spec
  const invocation = { command, values: pick(spec.options, values), globals, positionals }
  if (!globals.help) checkPositionals(invocation)
  return invocation
}

/** What is known of the wish for JSON and language when argv itself is wrong. */
export function guessGlobals(argv: readonly string[]): { readonly json: boolean; readonly lang: string | undefined } {
  const ended = argv.indexOf('--')
  const words = ended < 0 ? argv : argv.slice(0, ended)
  const at = words.findLastIndex((word) => word === '--lang' || word.startsWith('--lang='))
  const word = words[at] ?? ''
  const lang = word.includes('=') ? word.slice(word.indexOf('=') + 1) : at < 0 ? undefined : words[at + 1]
  return { json: words.includes('--json'), lang }
}

interface Taken {
  readonly command: CommandName
  readonly rest: readonly string[]
}

/** The first one or two words that are not global options name the command. */
function takeCommand(argv: readonly string[]): Taken {
  const places = wordPlaces(argv)
  const [first, second] = places.map((place) => argv[place])
  if (first === undefined) {
    if (argv.every((word) => isGlobal(word) || !word.startsWith('-'))) return { command: 'help', rest: argv }
    if (argv.includes('--version') || argv.includes('-V')) return { command: 'version', rest: [] }
    return { command: 'help', rest: argv }
  }
  const pair = `${first} ${second ?? ''}`
  const without = (count: number): readonly string[] =>
    argv.filter((_word, index) => !places.slice(0, count).includes(index))
  if (second !== undefined && isCommandName(pair)) return { command: pair, rest: without(2) }
  if (isCommandName(first)) return { command: first, rest: without(1) }
  const longer = commandNames.filter((name) => name.startsWith(`${first} `))
  if (longer.length > 0) {
    throw UsageError.of('cli.usage.incomplete-command', {
      text: first,
      choices: longer.map((name) => name.slice(first.length + 1)).join(', '),
    })
  }
  const firstWords = [...new Set(commandNames.map((name) => name.split(' ')[0] ?? ''))]
  throw UsageError.of('cli.usage.unknown-command', { text: first, nearest: nearest(first, firstWords) })
}

/** Indexes of words that are neither options nor values of global options. A command's own options come after its name. */
function wordPlaces(argv: readonly string[]): readonly number[] {
  const places: number[] = []
  for (let index = 0; index < argv.length && places.length < 2; index++) {
    const word = argv[index] ?? ''
    if (word === '--') break
    if (!word.startsWith('-') || word === '-') places.push(index)
    else if (places.length > 0 && !isGlobal(word)) break
    else if (!word.includes('=') && globalSpec(word)?.type === 'string') index++
  }
  return places
}

function globalSpec(word: string): OptionSpec | undefined {
  const name = word.replace(/^--?/, '').split('=')[0] ?? ''
  const globals: Options = globalOptions
  return word.startsWith('--')
    ? Object.hasOwn(globals, name)
      ? globals[name]
      : undefined
    : byShort(globals, name)?.[1]
}

function isGlobal(word: string): boolean {
  return globalSpec(word) !== undefined
}

function byShort(options: Options, short: string): readonly [string, OptionSpec] | undefined {
  return Object.entries(options).find(([, spec]) => spec.short === short)
}

function readValues(
  command: CommandName,
  options: Options,
  words: readonly string[],
): { readonly values: Values; readonly positionals: readonly string[] } {
  const values: Record<string, boolean | string | readonly string[] | undefined> = {}
  for (const [name, spec] of Object.entries(options)) {
    values[name] = spec.type === 'boolean' ? false : spec.multiple === true ? [] : undefined
  }
  const positionals: string[] = []
  for (let index = 0; index < words.length; index++) {
    const word = words[index] ?? ''
    if (word === '--') {
      positionals.push(...words.slice(index + 1))
      break
    }
    if (!word.startsWith('-') || word === '-') {
      positionals.push(word)
      continue
    }
    const equals = word.startsWith('--') ? word.indexOf('=') : -1
    const text = equals < 0 ? word : word.slice(0, equals)
    const [name, spec] = findOption(command, options, text)
    if (spec.type === 'boolean') {
      if (equals >= 0) throw UsageError.of('cli.usage.no-value', { text }, command)
      values[name] = true
      continue
    }
    const value = equals >= 0 ? word.slice(equals + 1) : words[++index]
    if (value === undefined || value === '' || (equals < 0 && value.startsWith('--'))) {
      throw UsageError.of('cli.usage.missing-value', { text, value: spec.value ?? '' }, command)
    }
    checkChoice(command, text, value, spec.choices)
    const former = values[name]
    if (spec.multiple === true) values[name] = [...(Array.isArray(former) ? former : []), value]
    else if (former === undefined) values[name] = value
    else throw UsageError.of('cli.usage.repeated', { text }, command)
  }
  return { values, positionals }
}

function findOption(command: CommandName, options: Options, text: string): readonly [string, OptionSpec] {
  const name = text.slice(2)
  const spec = text.startsWith('--') && Object.hasOwn(options, name) ? options[name] : undefined
  if (spec !== undefined) return [name, spec]
  const short = text.startsWith('--') ? undefined : byShort(options, text.slice(1))
  if (short !== undefined) return short
  const near = nearest(text.replace(/^-+/, ''), Object.keys(options))
  throw UsageError.of('cli.usage.unknown-option', { command, text, nearest: near === '' ? '' : `--${near}` }, command)
}

function checkChoice(command: CommandName, text: string, value: string, choices: readonly string[] | undefined): void {
  if (choices === undefined || choices.includes(value)) return
  const params = { text, value, choices: choices.join(', '), nearest: nearest(value, choices) }
  throw UsageError.of('cli.usage.bad-choice', params, command)
}

function checkPositionals({ command, positionals }: Invocation): void {
  const { positionals: specs } = specOf(command)
  specs.forEach((spec, index) => {
    const value = positionals[index]
    if (value !== undefined && value !== '') checkChoice(command, spec.name, value, spec.choices)
    else if (spec.required) throw UsageError.of('cli.usage.missing-positional', { command, name: spec.name }, command)
  })
  const extra = positionals[specs.length]
  if (extra !== undefined && specs.at(-1)?.repeated !== true)
    throw UsageError.of('cli.usage.too-many', { command, text: extra }, command)
}

function pick(options: Options, values: Values): Values {
  return Object.fromEntries(Object.keys(options).map((name) => [name, values[name]]))
}
