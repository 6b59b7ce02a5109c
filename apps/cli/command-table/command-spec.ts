/**
 * What a command is, as data: parsing, help, completion and docs/cli.md all derive from it. The code that runs it is in commands/, loaded only when asked for.
 */
import type { MessageKey } from '@hyperward/catalogue'

import type { ExitName } from '../exit-codes.ts'

type TextKey<P extends string> = Extract<MessageKey, `cli.${P}.${string}`>

export type Completion = 'file' | 'command' | 'none'

export interface OptionSpec {
  readonly type: 'boolean' | 'string'
  readonly text: TextKey<'option'>
  /** Stands for the value in help, e.g. `FILE`. Only of `string` options. */
  readonly value?: string
  readonly short?: string
  readonly multiple?: boolean
  readonly choices?: readonly string[]
  readonly complete?: Completion
}

export interface PositionalSpec {
  readonly name: string
  readonly required: boolean
  /** May be given several times; only the last one. */
  readonly repeated?: boolean
  readonly choices?: readonly string[]
  readonly complete?: Completion
}

export interface CommandSpec {
  readonly summary: TextKey<'command'>
  readonly about: TextKey<'about'>
  readonly positionals: readonly PositionalSpec[]
  readonly options: Readonly<Record<string, OptionSpec>>
  readonly examples: readonly string[]
  readonly exits: readonly ExitName[]
  /** `METHOD /path` of the center's API, as schema/openapi.json writes them; a test compares. */
  readonly routes: readonly string[]
}

type OptionValue<S extends OptionSpec> = S['type'] extends 'boolean'
  ? boolean
  : S extends { readonly multiple: true }
    ? readonly string[]
    : S extends { readonly choices: readonly (infer C)[] }
      ? C | undefined
      : string | undefined

export type OptionValues<O extends Readonly<Record<string, OptionSpec>>> = {
  readonly [K in keyof O]: OptionValue<O[K]>
}
