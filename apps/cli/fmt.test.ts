import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterEach, beforeEach, expect, test } from 'vitest'

import { runCli } from './testing/run-cli.ts'

const untidy = '# mine\nkind: Policy\napiVersion: hyperward/v1\ntenants: {acme: {default:   drop}} # here\n'
const tidy = '# mine\napiVersion: hyperward/v1\nkind: Policy\ntenants: { acme: { default: drop } } # here\n'
let directory: string
let file: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hwi-fmt-'))
  file = join(directory, 'policy.yaml')
  await writeFile(file, untidy)
})
afterEach(() => rm(directory, { recursive: true, force: true }))

test('fmt prints the canonical text and leaves the file', async () => {
  const { code, stdout } = await runCli(['fmt', file])
  expect([code, stdout, await readFile(file, 'utf8')]).toEqual([0, tidy, untidy])
})

test('fmt --check ends with 1 when a file is laid out otherwise, and writes nothing', async () => {
  const { code, stdout } = await runCli(['fmt', '--check', directory])
  expect([code, stdout, await readFile(file, 'utf8')]).toEqual([1, `${file} is laid out otherwise.\n`, untidy])
  await writeFile(file, tidy)
  const again = await runCli(['fmt', '--check', directory])
  expect([again.code, again.stdout]).toEqual([0, ''])
})

test('fmt --write writes through a link and keeps the rights of the file', async () => {
  await chmod(file, 0o640)
  const link = join(directory, 'link')
  await symlink(file, link)
  const { code, stdout } = await runCli(['fmt', '--write', link])
  expect([code, stdout, await readFile(file, 'utf8')]).toEqual([0, `${link} was written.\n`, tidy])
  expect((await stat(file)).mode & 0o777).toBe(0o640)
  expect((await runCli(['fmt', '--write', link])).stdout).toBe('')
})

test('one file that is no document keeps all of them from being written', async () => {
  const broken = join(directory, 'zz.yaml')
  await writeFile(broken, 'kind: [\n')
  const { code, stderr } = await runCli(['fmt', '--write', file, broken])
  expect([code, await readFile(file, 'utf8')]).toEqual([3, untidy])
  expect(stderr).toContain('zz.yaml')
})

test('several files are not printed as one, standard input is not written', async () => {
  expect((await runCli(['fmt', file, file])).code).toBe(2)
  expect((await runCli(['fmt', '--write', '-'])).code).toBe(2)
  expect((await runCli(['fmt', '--check', '--write', file])).code).toBe(2)
})

test('schema policy prints the schema in the language of the reader', async () => {
  const committed = await readFile(join(import.meta.dirname, '../../schema/policy.schema.json'), 'utf8')
  const { code, stdout } = await runCli(['schema', 'policy', '--lang', 'en'])
  expect([code, stdout]).toEqual([0, committed])
  expect((await runCli(['schema', 'policy', '--lang', 'zh-CN'])).stdout).toMatch(/"description": "\p{Script=Han}/u)
})
