import type { CommandSpec } from './command-spec.ts'
import { onlineExits } from './exits.ts'

const fileOrDraft = { name: 'FILE', required: false, repeated: true, complete: 'file' } as const
const inventory = { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.inventory' } as const

/** From a text to what is in force. */
export const policyCommands = {
  apply: {
    summary: 'cli.command.apply',
    about: 'cli.about.apply',
    positionals: [{ name: 'FILE', required: true, repeated: true, complete: 'file' }],
    options: { check: { type: 'boolean', text: 'cli.option.check' } },
    examples: [
      'hyperward apply policy.yaml',
      'hyperward apply provider.yaml tenants/',
      'hyperward apply --check policy.yaml',
      'generate-policy | hyperward apply -',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['PUT /v1/policy/draft', 'POST /v1/policy/plan'],
  },
  plan: {
    summary: 'cli.command.plan',
    about: 'cli.about.plan',
    positionals: [fileOrDraft],
    options: { inventory },
    examples: ['hyperward plan', 'hyperward plan policy.yaml', 'hyperward plan policy.yaml --inventory inventory.yaml'],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/plan'],
  },
  diff: {
    summary: 'cli.command.diff',
    about: 'cli.about.diff',
    positionals: [fileOrDraft],
    options: {
      inventory,
      against: { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.against' },
      'against-inventory': { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.against-inventory' },
      'exit-code': { type: 'boolean', text: 'cli.option.exit-code' },
    },
    examples: [
      'hyperward diff',
      'hyperward diff policy.yaml --exit-code',
      'hyperward diff new.yaml --against old.yaml --inventory inventory.yaml',
      'hyperward diff policy.yaml --inventory after.yaml --against-inventory before.yaml',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/diff', 'GET /v1/policy/published', 'GET /v1/policy/draft', 'GET /v1/endpoints'],
  },
  publish: {
    summary: 'cli.command.publish',
    about: 'cli.about.publish',
    positionals: [],
    options: {
      wait: { type: 'string', value: 'TIME', text: 'cli.option.wait' },
      'expect-revision': { type: 'string', value: 'N', text: 'cli.option.expect-revision' },
      'expect-draft': { type: 'string', value: 'DIGEST', text: 'cli.option.expect-draft' },
    },
    examples: ['hyperward publish', 'hyperward publish --wait 30s --expect-revision 12', 'hyperward publish --wait 0s'],
    exits: [...onlineExits, 'diagnostics', 'unconfirmed', 'conflict'],
    routes: ['POST /v1/policy/publish', 'GET /v1/policy/publications/{revision}'],
  },
  explain: {
    summary: 'cli.command.explain',
    about: 'cli.about.explain',
    positionals: [
      { name: 'SOURCE', required: true },
      { name: 'DESTINATION', required: true },
      { name: 'SERVICE', required: true },
    ],
    options: {
      draft: { type: 'boolean', text: 'cli.option.draft' },
      expect: {
        type: 'string',
        value: 'ACTION',
        choices: ['allow', 'allow-stateless', 'inspect', 'drop', 'reject'],
        text: 'cli.option.expect',
      },
      walk: { type: 'boolean', text: 'cli.option.walk' },
      policy: { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.policy' },
      inventory,
    },
    examples: [
      'hyperward explain web-1 db-1 tcp/5432',
      'hyperward explain 10.0.0.5 2001:db8::7 icmpv6/echo-request --draft',
      'hyperward explain web-1 db-1 tcp/22 --expect drop',
      'hyperward explain web-1 db-1 tcp/22 --walk',
      'hyperward explain web-1 db-1 udp/53 --policy policy.yaml --inventory inventory.yaml',
    ],
    exits: [...onlineExits, 'diagnostics'],
    routes: ['POST /v1/policy/explain', 'GET /v1/endpoints'],
  },
  'policy show': {
    summary: 'cli.command.policy-show',
    about: 'cli.about.policy-show',
    positionals: [],
    options: {
      draft: { type: 'boolean', text: 'cli.option.show-draft' },
      published: { type: 'boolean', text: 'cli.option.show-published' },
    },
    examples: ['hyperward policy show', 'hyperward policy show --draft > draft.yaml'],
    exits: onlineExits,
    routes: ['GET /v1/policy/draft', 'GET /v1/policy/published'],
  },
  'policy history': {
    summary: 'cli.command.policy-history',
    about: 'cli.about.policy-history',
    positionals: [{ name: 'REVISION', required: false }],
    options: {},
    examples: ['hyperward policy history', 'hyperward policy history 12'],
    exits: onlineExits,
    routes: ['GET /v1/policy/publications', 'GET /v1/policy/publications/{revision}'],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>
