import type { MessageKey, MessageParams } from '@hyperward/catalogue'

import type { Text } from './text.ts'

/** The command line is wrong: told in the reader's language, exit 2. `command` is what `hyperward help` should be asked for. */
export class UsageError extends Error {
  readonly toText: (text: Text) => string
  readonly command: string | null

  private constructor(toText: (text: Text) => string, command: string | null) {
    super('usage')
    this.name = 'UsageError'
    this.toText = toText
    this.command = command
  }

  static of<K extends MessageKey & `cli.usage.${string}`>(
    key: K,
    params: MessageParams<K>,
    command: string | null = null,
  ): UsageError {
    // as: the tuple of a key's arguments is its params when it has any
    return new UsageError((text) => (text as (key: K, params: MessageParams<K>) => string)(key, params), command)
  }

  forCommand(command: string): UsageError {
    return this.command === null ? new UsageError(this.toText, command) : this
  }
}
