import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

import { centerUri as pkiCenterUri } from '@hyperward/pki'
import { exec } from '@hyperward/os'
import { expect, test } from 'vitest'

import { commandNames, specOf } from './command-table/command-table.ts'
import { centerUri } from './connection/check-center-identity.ts'
import { toLocale } from './locale.ts'
import { parseArguments } from './parse-arguments.ts'
import { parseDurationMs, parseSince } from './parse-quantities.ts'
import { parseServiceArgument } from './parse-service-argument.ts'
import { renderBashCompletion } from './render/render-completion.ts'
import { renderDiagnostics } from './render/render-diagnostics.ts'
import { renderDocs } from './render/render-docs.ts'
import { createStyle } from './terminal/style.ts'
import { runCli } from './testing/run-cli.ts'
import { UsageError } from './usage-error.ts'

const root = join(import.meta.dirname, '../..')

test('a command of two words, options before and after it, and -- ', () => {
  const parsed = parseArguments(['--json', 'hosts', 'add', '--minutes=5', '--', '-odd'])
  expect(parsed).toMatchObject({
    command: 'hosts add',
    values: { minutes: '5', out: undefined },
    globals: { json: true, lang: undefined },
    positionals: ['-odd'],
  })
  expect(parseArguments(['--lang', 'en', 'hosts']).command).toBe('hosts')
  expect(parseArguments([]).command).toBe('help')
  expect(parseArguments(['vms', 'set', 'a', '--label', 'x=1', '--label', 'y=2']).values['label']).toEqual([
    'x=1',
    'y=2',
  ])
})

test.each([
  [['statsu'], 'There is no command "statsu". Did you mean "status"?'],
  [['vms'], '"vms" needs one of: show, set.'],
  [['flows', '--ruel', 'x'], 'flows has no option --ruel. Did you mean --rule?'],
  [['flows', '--rule'], '--rule needs a value: --rule RULE.'],
  [['flows', '--rule', 'a', '--rule', 'b'], '--rule is given twice. Keep one.'],
  [
    ['flows', '--kind', 'drp'],
    '--kind cannot be "drp". Use one of: drop, flow-start, flow-end, monitor. Did you mean "drop"?',
  ],
  [['rules', '--unused=yes'], '--unused takes no value.'],
  [['apply'], 'apply needs FILE.'],
  [['status', 'now'], 'status does not take "now".'],
  [['publish', '--wait', 'soon'], '--wait must be a time such as 500ms, 10s, 5m, 2h or 7d, not "soon".'],
  [['explain', 'a', 'b', 'tcp'], 'tcp needs a port: tcp/443.'],
  [['login', 'http://x'], '"http://x" is not an https URL such as https://center.example:8443.'],
])('%j ends with 2 and says how to mend it', async (argv, sentence) => {
  const { code, stdout, stderr } = await runCli(argv)
  expect(stderr.split('\n')[0]).toBe(`hyperward: error[cli.usage]: ${sentence}`)
  expect([code, stdout]).toEqual([2, ''])
})

test('a usage error is told in Chinese, by --lang or by the environment', async () => {
  const sentence = 'hyperward: error[cli.usage]: 没有命令“statsu”。您是否要写“status”？'
  expect((await runCli(['statsu', '--lang', 'zh-CN'])).stderr).toContain(sentence)
  expect((await runCli(['statsu'], { env: { LANG: 'zh_CN.UTF-8' } })).stderr).toContain(sentence)
})

test('the locale is that of the first variable that is set', () => {
  expect(toLocale({ LC_ALL: 'en_US.UTF-8', LANG: 'zh_CN.UTF-8' })).toBe('en')
  expect(toLocale({ LC_ALL: '', LC_MESSAGES: 'zh_TW', LANG: 'C' })).toBe('zh-CN')
  expect(toLocale({ LANG: 'zhx' })).toBe('en')
  expect(toLocale({})).toBe('en')
})

test('every command has a page of help in both languages, with its examples and exit codes', async () => {
  for (const name of commandNames) {
    const { stdout, code } = await runCli(['help', ...name.split(' ')])
    expect(code).toBe(0)
    for (const example of specOf(name).examples) expect(stdout).toContain(example)
    const chinese = await runCli(['help', ...name.split(' '), '--lang', 'zh-CN'])
    expect([name, chinese.code]).toEqual([name, 0])
    expect(chinese.stdout).toContain('退出码')
  }
})

test('examples of the table are command lines that parse', () => {
  for (const name of commandNames) {
    for (const example of specOf(name).examples) {
      const line = /hyperward ([^>|()]*)/.exec(example)?.[1] ?? ''
      const words = [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word)
      expect([example, parseArguments(words).command]).toEqual([example, name])
    }
  }
})

test('every route the CLI may ask for is in the OpenAPI document', async () => {
  const openapi = JSON.parse(await readFile(join(root, 'schema/openapi.json'), 'utf8')) as {
    // as: the shape OpenAPI prescribes
    readonly paths: Readonly<Record<string, Readonly<Record<string, unknown>>>>
  }
  const described = Object.entries(openapi.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  )
  const used = commandNames.flatMap((name) => specOf(name).routes)
  expect(used.filter((route) => !described.includes(route))).toEqual([])
})

test('docs/cli.md is what the command table says', async () => {
  expect(await readFile(join(root, 'docs/cli.md'), 'utf8')).toBe(renderDocs())
})

test('the center is known by the id its certificates have', () => {
  expect(centerUri).toBe(pkiCenterUri)
})

test('durations, times and ids', () => {
  const now = new Date('2026-01-01T01:00:00Z')
  expect(parseDurationMs('--wait', '2h')).toBe(7_200_000)
  expect(parseSince('10m', now)).toEqual({ kind: 'time', at: '2026-01-01T00:50:00.000Z' })
  expect(parseSince('42', now)).toEqual({ kind: 'id', id: 42 })
  expect(parseSince('2026-01-01', now)).toEqual({ kind: 'time', at: '2026-01-01T00:00:00.000Z' })
  expect(() => parseSince('yesterday', now)).toThrow(UsageError)
  expect(() => parseDurationMs('--wait', '9999999d')).toThrow(UsageError)
})

test.each([
  ['tcp/5432', { protocol: 6, port: 5432 }],
  ['UDP/53', { protocol: 17, port: 53 }],
  ['icmp/echo-request', { protocol: 1, port: 8 }],
  ['icmpv6/128', { protocol: 58, port: 128 }],
  ['47', { protocol: 47 }],
])('%s is a service', (text, service) => {
  expect(parseServiceArgument(text)).toEqual(service)
})

test.each(['tcp', 'tcp/0x50', 'tcp/65536', 'icmp/256', 'tpc/80', '6', '256', 'tcp/80/90', ''])(
  '%j is no service',
  (text) => {
    expect(() => parseServiceArgument(text)).toThrow(UsageError)
  },
)

test('the caret stands under the place, after Chinese and tabs too', () => {
  const diagnostic = {
    code: 'group.unknown',
    severity: 'error',
    path: 'x',
    place: { file: 'p.yaml', line: 2, column: 6 },
    params: { group: '数据', nearest: '' },
    message: '',
  } as const
  const sources = new Map([['p.yaml', 'a\n\t来源: 数据\n']])
  expect(renderDiagnostics('en', [diagnostic], sources, createStyle(false))).toEqual([
    'p.yaml:2:6: error[group.unknown]: There is no group "数据".',
    ' 2 |   来源: 数据',
    '   |         ^',
  ])
  expect(renderDiagnostics('zh-CN', [diagnostic], new Map(), createStyle(false))[0]).toMatch(
    /^p.yaml:2:6: error\[group.unknown\]: .*数据/,
  )
})

test('bash completes commands, subcommands, options and their values', async () => {
  const script = `${renderBashCompletion()}
complete_words() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _hyperward; echo "\${COMPREPLY[*]}"; }
complete_words hyperward pub
complete_words hyperward --lang zh-CN hosts a
complete_words hyperward flows --ki
complete_words hyperward flows --kind d
complete_words hyperward status --lang z
complete_words hyperward completion z`
  const { stdout } = await exec('bash', ['--norc'], { input: script, timeoutMs: 5000 })
  expect(stdout.trim().split('\n')).toEqual(['publish', 'add', '--kind', 'drop', 'zh-CN', 'zsh'])
})

test('without a center, each missing setting has its own code and exit', async () => {
  expect(await runCli(['status'])).toMatchObject({ code: 1, stdout: '' })
  const { code, stderr } = await runCli(['status', '--json', '--center', 'https://127.0.0.1:1', '--ca', '/nowhere'])
  expect([code, JSON.parse(stderr)]).toMatchObject([5, { code: 'cli.no-token' }])
})
