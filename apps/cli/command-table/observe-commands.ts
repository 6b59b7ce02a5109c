import type { CommandSpec } from './command-spec.ts'
import { onlineExits } from './exits.ts'

const host = { type: 'string', value: 'NAME', text: 'cli.option.host' } as const
const tenant = { type: 'string', value: 'NAME', text: 'cli.option.tenant' } as const
const vm = { type: 'string', value: 'VM', text: 'cli.option.vm' } as const
const since = { type: 'string', value: 'TIME', text: 'cli.option.since' } as const
const limit = { type: 'string', value: 'N', text: 'cli.option.limit' } as const

/** What is there and what happens. */
export const observeCommands = {
  status: {
    summary: 'cli.command.status',
    about: 'cli.about.status',
    positionals: [],
    options: {},
    examples: ['hyperward status', 'hyperward status --json'],
    exits: onlineExits,
    routes: ['GET /v1/status'],
  },
  hosts: {
    summary: 'cli.command.hosts',
    about: 'cli.about.hosts',
    positionals: [],
    options: {},
    examples: ['hyperward hosts'],
    exits: onlineExits,
    routes: ['GET /v1/hosts'],
  },
  'hosts add': {
    summary: 'cli.command.hosts-add',
    about: 'cli.about.hosts-add',
    positionals: [{ name: 'NAME', required: true }],
    options: {
      out: { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.out' },
      minutes: { type: 'string', value: 'N', text: 'cli.option.minutes' },
    },
    examples: ['hyperward hosts add kvm-1 --out kvm-1.token', 'hyperward hosts add kvm-2 --minutes 10'],
    exits: onlineExits,
    routes: ['POST /v1/hosts'],
  },
  'hosts remove': {
    summary: 'cli.command.hosts-remove',
    about: 'cli.about.hosts-remove',
    positionals: [{ name: 'NAME', required: true }],
    options: {},
    examples: ['hyperward hosts remove kvm-1'],
    exits: onlineExits,
    routes: ['DELETE /v1/hosts/{name}'],
  },
  endpoints: {
    summary: 'cli.command.endpoints',
    about: 'cli.about.endpoints',
    positionals: [],
    options: {
      host,
      tenant,
      vm,
      state: {
        type: 'string',
        value: 'STATE',
        choices: ['enforced', 'closed', 'unreported'],
        text: 'cli.option.state',
      },
    },
    examples: ['hyperward endpoints', 'hyperward endpoints --tenant acme', 'hyperward endpoints --state closed'],
    exits: onlineExits,
    routes: ['GET /v1/endpoints'],
  },
  migrate: {
    summary: 'cli.command.migrate',
    about: 'cli.about.migrate',
    positionals: [
      { name: 'VM', required: true },
      { name: 'HOST', required: true },
    ],
    options: {
      destination: { type: 'string', value: 'URI', text: 'cli.option.destination' },
      'migrate-uri': { type: 'string', value: 'URI', text: 'cli.option.migrate-uri' },
    },
    examples: ['hyperward migrate web-1 kvm-2', 'hyperward migrate web-1 kvm-2 --destination qemu+ssh://kvm-2/system'],
    exits: onlineExits,
    routes: ['GET /v1/endpoints', 'POST /v1/vms/{uuid}/migration', 'GET /v1/vms/{uuid}/migration'],
  },
  verify: {
    summary: 'cli.command.verify',
    about: 'cli.about.verify',
    positionals: [],
    options: { host, vm },
    examples: ['hyperward verify', 'hyperward verify --host kvm-1', 'hyperward verify --vm web-1 --json'],
    exits: onlineExits,
    routes: ['GET /v1/hosts', 'GET /v1/hosts/{name}/realized'],
  },
  rules: {
    summary: 'cli.command.rules',
    about: 'cli.about.rules',
    positionals: [],
    options: {
      sort: {
        type: 'string',
        value: 'KEY',
        choices: ['order', 'hits', 'packets', 'bytes', 'last'],
        text: 'cli.option.sort',
      },
      tenant,
      unused: { type: 'boolean', text: 'cli.option.unused' },
    },
    examples: ['hyperward rules', 'hyperward rules --sort hits', 'hyperward rules --unused --tenant acme'],
    exits: onlineExits,
    routes: ['GET /v1/rules'],
  },
  flows: {
    summary: 'cli.command.flows',
    about: 'cli.about.flows',
    positionals: [],
    options: {
      vm,
      rule: { type: 'string', value: 'RULE', text: 'cli.option.rule' },
      host,
      tenant,
      address: { type: 'string', value: 'ADDRESS', text: 'cli.option.address' },
      kind: {
        type: 'string',
        value: 'KIND',
        choices: ['drop', 'flow-start', 'flow-end', 'monitor'],
        text: 'cli.option.kind',
      },
      since,
      limit,
    },
    examples: [
      'hyperward flows --since 10m',
      'hyperward flows --vm db-1 --kind drop',
      'hyperward flows --rule acme/shop/app-to-db --limit 20',
    ],
    exits: onlineExits,
    routes: ['GET /v1/flows', 'GET /v1/endpoints'],
  },
  events: {
    summary: 'cli.command.events',
    about: 'cli.about.events',
    positionals: [],
    options: {
      follow: { type: 'boolean', short: 'f', text: 'cli.option.follow' },
      flows: { type: 'string', value: 'WHICH', choices: ['none', 'drops', 'all'], text: 'cli.option.flows' },
      since,
      limit,
      host,
      for: { type: 'string', value: 'TIME', text: 'cli.option.for' },
    },
    examples: ['hyperward events', 'hyperward events --follow', 'hyperward events --follow --flows all --json'],
    exits: [...onlineExits, 'interrupted'],
    routes: ['GET /v1/events', 'GET /v1/flows', 'GET /v1/events/stream', 'GET /v1/endpoints'],
  },
  'vms show': {
    summary: 'cli.command.vms-show',
    about: 'cli.about.vms-show',
    positionals: [{ name: 'VM', required: true }],
    options: {},
    examples: ['hyperward vms show web-1'],
    exits: onlineExits,
    routes: ['GET /v1/vms/{uuid}', 'GET /v1/endpoints'],
  },
  'vms set': {
    summary: 'cli.command.vms-set',
    about: 'cli.about.vms-set',
    positionals: [{ name: 'VM', required: true }],
    options: {
      tenant: { type: 'string', value: 'NAME', text: 'cli.option.set-tenant' },
      os: { type: 'string', value: 'TEXT', text: 'cli.option.set-os' },
      label: { type: 'string', value: 'KEY=VALUE', multiple: true, text: 'cli.option.label' },
      address: { type: 'string', value: '[MAC=]LIST', multiple: true, text: 'cli.option.set-address' },
      reset: {
        type: 'string',
        value: 'WHAT',
        multiple: true,
        text: 'cli.option.reset',
      },
    },
    examples: [
      'hyperward vms set web-1 --tenant acme --label app=shop --label role=web',
      'hyperward vms set web-1 --address 10.0.0.5,2001:db8::5',
      'hyperward vms set web-1 --os "debian 12"',
      'hyperward vms set web-1 --reset label:role --reset addresses',
    ],
    exits: onlineExits,
    routes: ['PATCH /v1/vms/{uuid}', 'GET /v1/endpoints'],
  },
  audit: {
    summary: 'cli.command.audit',
    about: 'cli.about.audit',
    positionals: [],
    options: { limit },
    examples: ['hyperward audit --limit 20'],
    exits: onlineExits,
    routes: ['GET /v1/audit'],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>
