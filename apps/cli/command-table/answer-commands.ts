import type { CommandSpec } from './command-spec.ts'
import { onlineExits } from './exits.ts'

const file = { name: 'FILE', required: false, repeated: true, complete: 'file' } as const
const inventory = { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.inventory' } as const

/** What holds under a policy, over every packet there can be. */
export const answerCommands = {
  prove: {
    summary: 'cli.command.prove',
    about: 'cli.about.prove',
    positionals: [file],
    options: { inventory },
    examples: [
      'hyperward prove',
      'hyperward prove policy.yaml',
      'hyperward prove policy.yaml --inventory inventory.yaml',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/prove'],
  },
  reach: {
    summary: 'cli.command.reach',
    about: 'cli.about.reach',
    positionals: [{ name: 'VM', required: true }, file],
    options: { draft: { type: 'boolean', text: 'cli.option.draft' }, inventory },
    examples: [
      'hyperward reach db-1',
      'hyperward reach 203.0.113.7 --draft',
      'hyperward reach db-1 policy.yaml --inventory inventory.yaml',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/reach', 'GET /v1/endpoints'],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>
