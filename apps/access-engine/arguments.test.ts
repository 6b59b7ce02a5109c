import { OperationError } from '@hyperward/model'
import { expect, test } from 'vitest'

import { parseArguments, usage } from './arguments.ts'

test.each([
  [['run', '--config', 'c'], { kind: 'run', config: 'c' }],
  [['door', '--config', 'c'], { kind: 'door', config: 'c' }],
  [['status', '--config', 'c'], { kind: 'status', config: 'c' }],
  [['remove', '--yes', '--config', 'c'], { kind: 'remove', config: 'c' }],
  [['remove', '--config', 'c', '--yes'], { kind: 'remove', config: 'c' }],
  [
    ['enroll', '--token-file', '-', '--center', 'https://c:1', '--config', 'c'],
    { kind: 'enroll', config: 'c', center: 'https://c:1', tokenFile: '-' },
  ],
  [[], { kind: 'help' }],
  [['--help'], { kind: 'help' }],
] as const)('%j is understood', (args, command) => {
  expect(parseArguments(args)).toEqual(command)
})

test.each([
  [['stop'], 'there is no command "stop"'],
  [['constructor'], 'there is no command "constructor"'],
  [['run'], '"run" needs --config'],
  [['run', '--config'], '--config has no value'],
  [['run', '--config', 'a', '--config', 'b'], '--config is given twice'],
  [['run', '--config', 'a', '--yes'], '"run" takes no --yes'],
  [['status', '--center', 'x'], '"status" takes no --center'],
  [['enroll', '--config', 'a', '--center', 'x'], '"enroll" needs --token-file'],
  [['enroll', '--config', 'a', '--token', 'hw1.secret'], '"enroll" takes no --token'],
  [['remove', '--config', 'a'], 'say --yes if that is meant'],
  [['remove', '--yes'], '"remove" needs --config'],
])('%j is refused', (args, part) => {
  try {
    parseArguments(args)
    expect.unreachable()
  } catch (error) {
    if (!(error instanceof OperationError)) throw error
    expect(error.code).toBe('engine.arguments')
    expect(error.message).toContain(part)
    // a secret given by mistake is not repeated into a log
    expect(error.message).not.toContain('hw1.')
  }
})

test('help names every command', () => {
  for (const kind of ['run', 'enroll', 'door', 'status', 'remove']) expect(usage).toContain(`access-engine ${kind}`)
})
