import type { CommandSpec } from './command-spec.ts'
import { offlineExits, onlineExits } from './exits.ts'

/** The CLI itself. */
export const setupCommands = {
  login: {
    summary: 'cli.command.login',
    about: 'cli.about.login',
    positionals: [{ name: 'URL', required: true }],
    options: { fingerprint: { type: 'string', value: 'SHA256', text: 'cli.option.fingerprint' } },
    examples: [
      'hyperward login https://center.example:8443 --ca ca.pem --token-file admin-token',
      'hyperward login https://10.0.0.1:8443 --fingerprint 3f9a…c1 --token-file admin-token',
    ],
    exits: onlineExits,
    routes: ['GET /v1/status'],
  },
  context: {
    summary: 'cli.command.context',
    about: 'cli.about.context',
    positionals: [],
    options: {},
    examples: ['hyperward context'],
    exits: offlineExits,
    routes: [],
  },
  completion: {
    summary: 'cli.command.completion',
    about: 'cli.about.completion',
    positionals: [{ name: 'SHELL', required: true, choices: ['bash', 'zsh'] }],
    options: {},
    examples: ['source <(hyperward completion bash)', 'hyperward completion zsh > ~/.zfunc/_hyperward'],
    exits: offlineExits,
    routes: [],
  },
  version: {
    summary: 'cli.command.version',
    about: 'cli.about.version',
    positionals: [],
    options: {},
    examples: ['hyperward version'],
    exits: offlineExits,
    routes: [],
  },
  help: {
    summary: 'cli.command.help',
    about: 'cli.about.help',
    positionals: [
      { name: 'COMMAND', required: false, complete: 'command' },
      { name: 'SUBCOMMAND', required: false },
    ],
    options: {},
    examples: ['hyperward help', 'hyperward help publish'],
    exits: offlineExits,
    routes: [],
  },
} as const satisfies Readonly<Record<string, CommandSpec>>
