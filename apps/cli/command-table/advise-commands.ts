import type { CommandSpec } from './command-spec.ts'
import { onlineExits } from './exits.ts'

const fileOrDraft = { name: 'FILE', required: false, repeated: true, complete: 'file' } as const
const inventory = { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.inventory' } as const
const flows = { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.recorded-flows' } as const
const since = { type: 'string', value: 'TIME', text: 'cli.option.flows-since' } as const
const exitCode = { type: 'boolean', text: 'cli.option.exit-code' } as const

/** What is doubtful about a policy, what it would do to what was seen, and what policy that would take. */
export const adviseCommands = {
  lint: {
    summary: 'cli.command.lint',
    about: 'cli.about.lint',
    positionals: [fileOrDraft],
    options: {
      inventory,
      hits: { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.hits' },
      'exit-code': exitCode,
    },
    examples: [
      'hyperward lint',
      'hyperward lint policy.yaml --exit-code',
      'hyperward lint policy.yaml --inventory inventory.yaml',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/lint'],
  },
  simulate: {
    summary: 'cli.command.simulate',
    about: 'cli.about.simulate',
    positionals: [fileOrDraft],
    options: {
      inventory,
      flows,
      against: { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.simulate-against' },
      recorded: { type: 'boolean', text: 'cli.option.recorded' },
      since,
      'exit-code': exitCode,
    },
    examples: [
      'hyperward simulate --since 7d',
      'hyperward simulate policy.yaml --exit-code',
      'hyperward simulate new.yaml --against old.yaml --inventory inventory.yaml --flows flows.json',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/simulate'],
  },
  recommend: {
    summary: 'cli.command.recommend',
    about: 'cli.about.recommend',
    positionals: [],
    options: {
      inventory,
      flows,
      since,
      generalize: { type: 'string', value: 'HOW', choices: ['exact', 'group'], text: 'cli.option.generalize' },
      share: { type: 'string', value: 'PERCENT', text: 'cli.option.share' },
      refused: { type: 'boolean', text: 'cli.option.refused' },
    },
    examples: [
      'hyperward recommend --since 7d > policy.yaml',
      'hyperward recommend --generalize group --share 80 --since 30d',
      'hyperward recommend --inventory inventory.yaml --flows flows.json > policy.yaml',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/recommend'],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>
