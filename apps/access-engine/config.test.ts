import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'
import { readFileIfExists } from '@hyperward/os'
import { afterEach, beforeEach, expect, test } from 'vitest'

import { parseConfig, readConfig } from './config.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hwa-config-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function messageOf(text: string): string {
  try {
    parseConfig('/etc/engine.json', text)
  } catch (error) {
    if (error instanceof OperationError && error.code === 'engine.config-malformed') return error.message
    throw error
  }
  return 'accepted'
}

test('a host name is enough, and everything else has its default', () => {
  expect(parseConfig('f', '{"host":"north"}')).toEqual({
    host: 'north',
    stateDir: '/var/lib/hyperward/access-engine',
    libvirtSocket: '/run/libvirt/libvirt-sock',
    pinRoot: '/sys/fs/bpf/hyperward',
    objectPath: '/usr/lib/hyperward/endpoint.bpf.o',
    datapath: 'auto',
    statusSocket: '/run/hyperward/access-engine.sock',
    tapPatterns: ['vnet*', 'tap*'],
    gateways: [],
    failOpen: [],
    logLevel: 'info',
  })
})

test.each([
  ['{"host":"north","stateDirectory":"/x"}', '"stateDirectory": no such field; the fields are host, center, stateDir,'],
  ['{}', 'host: write the name this host is enrolled under'],
  ['{"host":7}', 'host: write the name this host is enrolled under'],
  ['{"host":"North!"}', 'host: write the name this host is enrolled under'],
  ['{"host":"n","center":"http://c:8443"}', 'center: write the address of the center, like "https://'],
  ['{"host":"n","stateDir":"state"}', 'stateDir: write an absolute path, like "/var/lib/hyperward/access-engine"'],
  ['{"host":"n","tapPatterns":"vnet*"}', 'tapPatterns: write a list of device names'],
  ['{"host":"n","tapPatterns":[]}', 'tapPatterns: write a list of device names'],
  ['{"host":"n","tapPatterns":["vnet*","a;b"]}', 'tapPatterns.1: write a list of device names'],
  ['{"host":"n","tapPatterns":["*"]}', 'tapPatterns.0: write a list of device names'],
  ['{"host":"n","logLevel":"verbose"}', 'logLevel: write one of "debug", "info", "warn", "error"'],
  ['[]', 'the document must be one JSON object'],
  ['{"host":', 'JSON'],
  ['', 'JSON'],
])('%s is refused with file, field and remedy', (text, part) => {
  const message = messageOf(text)
  expect(message).toMatch(/^\/etc\/engine\.json: /)
  expect(message).toContain(part)
})

test('gateways are read whole, and a port that is no device name is refused with what to write', () => {
  const gateway = { name: 'gw-1', inside: 'gwin', outside: 'gwout', profiles: ['acme/web'] }
  const text = JSON.stringify({ host: 'north', gateways: [gateway], failOpen: ['acme/web'] })
  expect(parseConfig('f', text).gateways).toEqual([{ ...gateway, draining: false }])
  const wrong = JSON.stringify({ host: 'north', gateways: [{ ...gateway, inside: 'gw in' }] })
  expect(() => parseConfig('f', wrong)).toThrow(/gateways\.0\.inside: write a list like/)
})

test('all that is wrong is told at once', () => {
  const message = messageOf('{"host":7,"logLevel":7,"x":7,"y":7}')
  for (const part of ['host:', 'logLevel:', '"x", "y"']) expect(message).toContain(part)
})

test.each([0o644, 0o640, 0o620, 0o602])('a file of mode %o is refused, whatever it says', async (mode) => {
  const file = join(directory, 'c.json')
  writeFileSync(file, '{"host":"north"}', { mode: 0o600 })
  expect((await readConfig(file, readFileIfExists)).host).toBe('north')
  chmodSync(file, mode)
  const refusal = expect(readConfig(file, readFileIfExists)).rejects
  await refusal.toMatchObject({
    code: 'engine.config-unsafe',
    message: expect.stringContaining(`mode ${mode.toString(8)}`),
  })
})

test('a missing file and one that cannot be read are two things, and neither is a default', async () => {
  await expect(readConfig(join(directory, 'none.json'), readFileIfExists)).rejects.toMatchObject({
    code: 'engine.config-malformed',
    message: expect.stringContaining('there is no such file'),
  })
  await expect(readConfig(directory, readFileIfExists)).rejects.toMatchObject({
    code: 'engine.config-malformed',
    message: expect.stringContaining('EISDIR'),
  })
})
