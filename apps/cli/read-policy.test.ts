import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { readPolicyDocument, toSources } from './read-policy.ts'

let directory: string
const io = { stdin: (async function* () {})() }

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hwi-policy-'))
  await mkdir(join(directory, 'tenants', 'below.yaml'), { recursive: true })
  await mkdir(join(directory, 'empty'))
  await writeFile(join(directory, 'provider.yaml'), 'provider: {}\n')
  for (const name of ['b.yml', 'a.yaml', 'notes.txt', '.hidden.yaml']) {
    await writeFile(join(directory, 'tenants', name), `# ${name}\n`)
  }
})
afterAll(() => rm(directory, { recursive: true }))

test('one file is its own text', async () => {
  const path = join(directory, 'provider.yaml')
  expect(await readPolicyDocument([path], io)).toEqual({ file: path, text: 'provider: {}\n' })
})

test('files and the YAML files of a directory are one text that still names them, in order', async () => {
  const paths = [join(directory, 'provider.yaml'), join(directory, 'tenants')]
  const document = await readPolicyDocument(paths, io)
  expect([...toSources(document)]).toEqual([
    [paths[0], 'provider: {}\n'],
    [join(directory, 'tenants/a.yaml'), '# a.yaml\n'],
    [join(directory, 'tenants/b.yml'), '# b.yml\n'],
  ])
})

test.each([['empty'], ['nowhere']])('%s is told, not taken for an empty policy', async (name) => {
  await expect(readPolicyDocument([join(directory, name)], io)).rejects.toMatchObject({ code: 'os.file-unreadable' })
})
