import { readdirSync } from 'node:fs'

import { expect, test } from 'vitest'

import { exec, execOk } from './exec.ts'

test('tells exit code, stdout and stderr, and passes arguments untouched', async () => {
  const script = 'process.stdout.write(process.argv[1]); process.stderr.write("e"); process.exitCode = 3'
  const result = await exec(process.execPath, ['-e', script, '$(id) "; rm -rf *'])
  expect(result).toEqual({ code: 3, stdout: '$(id) "; rm -rf *', stderr: 'e' })
})

test('input can be read by a program that opens /dev/stdin, and leaves no file', async () => {
  const input = 'line\n'.repeat(100_000)
  expect((await exec('cat', ['/dev/stdin'], { input })).stdout).toBe(input)
  expect((await exec('cat', [], { input })).stdout).toBe(input)
  expect(readdirSync('/dev/shm').filter((name) => name.startsWith('hw-input-'))).toEqual([])
})

test('a program that does not finish is killed together with what it started', async () => {
  const began = performance.now()
  await expect(exec('sh', ['-c', 'sleep 30 & sleep 30'], { timeoutMs: 200 })).rejects.toMatchObject({
    code: 'os.exec-timeout',
    details: { file: 'sh', timeoutMs: 200 },
  })
  expect(performance.now() - began).toBeLessThan(5000)
})

test('a missing program, a NUL byte and a killing signal are coded failures', async () => {
  await expect(exec('/nonexistent/program', [])).rejects.toMatchObject({ code: 'os.exec-failed' })
  await expect(exec('echo', ['a\0b'])).rejects.toMatchObject({ code: 'os.exec-failed' })
  await expect(exec('sh', ['-c', 'kill -9 $$'])).rejects.toMatchObject({
    code: 'os.exec-failed',
    details: { signal: 'SIGKILL' },
  })
})

test('output without end is cut off', async () => {
  await expect(exec('yes', [], { maxOutputBytes: 100_000 })).rejects.toMatchObject({
    code: 'os.exec-failed',
    details: { maxOutputBytes: 100_000 },
  })
})

test('the environment of the parent is not inherited', async () => {
  process.env['HWT_SECRET'] = 'x'
  try {
    const { stdout } = await exec('env', [], { env: { GIVEN: 'y' } })
    expect(stdout).toContain('GIVEN=y')
    expect(stdout).not.toContain('HWT_SECRET')
  } finally {
    delete process.env['HWT_SECRET']
  }
})

test('execOk turns a code other than 0 into a failure that says why', async () => {
  await expect(execOk('sh', ['-c', 'echo because >&2; exit 4'])).rejects.toMatchObject({
    code: 'os.exec-failed',
    details: { exitCode: 4, stderr: 'because\n' },
  })
})
