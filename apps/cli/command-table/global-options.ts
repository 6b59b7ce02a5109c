import type { OptionSpec } from './command-spec.ts'

/** Taken by every command, before or after its name. */
export const globalOptions = {
  json: { type: 'boolean', text: 'cli.option.json' },
  lang: { type: 'string', value: 'LANG', choices: ['en', 'zh-CN'], text: 'cli.option.lang' },
  center: { type: 'string', value: 'URL', text: 'cli.option.center' },
  ca: { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.ca' },
  'token-file': { type: 'string', value: 'FILE', complete: 'file', text: 'cli.option.token-file' },
  timeout: { type: 'string', value: 'TIME', text: 'cli.option.timeout' },
  help: { type: 'boolean', short: 'h', text: 'cli.option.help' },
} as const satisfies Readonly<Record<string, OptionSpec>>
