import type { CommandSpec } from './command-spec.ts'
import { offlineExits } from './exits.ts'

/** The text of a policy itself: no center, no inventory. */
export const languageCommands = {
  fmt: {
    summary: 'cli.command.fmt',
    about: 'cli.about.fmt',
    positionals: [{ name: 'FILE', required: true, repeated: true, complete: 'file' }],
    options: {
      check: { type: 'boolean', text: 'cli.option.fmt-check' },
      write: { type: 'boolean', short: 'w', text: 'cli.option.fmt-write' },
    },
    examples: ['hyperward fmt policy.yaml', 'hyperward fmt --write policies/', 'hyperward fmt --check policies/'],
    exits: [...offlineExits, 'diagnostics'],
    routes: [],
  },
  'schema policy': {
    summary: 'cli.command.schema-policy',
    about: 'cli.about.schema-policy',
    positionals: [],
    options: {},
    examples: ['hyperward schema policy > policy.schema.json'],
    exits: offlineExits,
    routes: [],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>
