import { importKinds } from '@hyperward/importers'

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
  import: {
    summary: 'cli.command.import',
    about: 'cli.about.import',
    positionals: [
      { name: 'KIND', required: true, choices: importKinds },
      { name: 'FILE', required: true, repeated: true, complete: 'file' },
    ],
    options: {
      tenant: { type: 'string', value: 'NAME', text: 'cli.option.import-tenant' },
      name: { type: 'string', value: 'NAME', text: 'cli.option.import-name' },
      view: { type: 'string', value: 'WHOSE', choices: ['guest', 'host'], text: 'cli.option.import-view' },
      interface: { type: 'string', value: 'NAME', multiple: true, text: 'cli.option.import-interface' },
    },
    examples: [
      'hyperward import proxmox cluster.fw 100.fw 101.fw > policy.yaml',
      'hyperward import openstack security-groups.json > policy.yaml',
      'hyperward import iptables rules.v4 rules.v6 --view guest --interface eth0 > policy.yaml',
      'hyperward import nwfilter web.xml --tenant acme > policy.yaml',
    ],
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
