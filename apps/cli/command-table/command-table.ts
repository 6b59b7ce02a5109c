import { adviseCommands } from './advise-commands.ts'
import { answerCommands } from './answer-commands.ts'
import type { CommandSpec, OptionValues } from './command-spec.ts'
import type { globalOptions } from './global-options.ts'
import { languageCommands } from './language-commands.ts'
import { observeCommands } from './observe-commands.ts'
import { policyCommands } from './policy-commands.ts'
import { setupCommands } from './setup-commands.ts'

export const commandTable = {
  ...policyCommands,
  ...answerCommands,
  ...adviseCommands,
  ...languageCommands,
  ...observeCommands,
  ...setupCommands,
} as const

export type CommandName = keyof typeof commandTable
export type GlobalValues = OptionValues<typeof globalOptions>
export type CommandValues<N extends CommandName> = OptionValues<(typeof commandTable)[N]['options']>

/** In the order of help: policy, then observation, then the CLI itself. */
export const commandNames = Object.keys(commandTable) as readonly CommandName[] // as: the keys of a constant

/** Sections of the help page, in order. */
export const commandSections = [
  {
    title: 'cli.section.policy',
    names: Object.keys({ ...policyCommands, ...answerCommands, ...adviseCommands, ...languageCommands }),
  },
  { title: 'cli.section.observe', names: Object.keys(observeCommands) },
  { title: 'cli.section.setup', names: Object.keys(setupCommands) },
] as const

export function isCommandName(text: string): text is CommandName {
  return Object.hasOwn(commandTable, text)
}

export function specOf(name: CommandName): CommandSpec {
  return commandTable[name]
}
