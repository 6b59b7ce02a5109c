import { readFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'

export const repositoryRoot = join(import.meta.dirname, '../..')

/** Files git knows or would add, relative to the root, that match `pattern`. */
export function listFiles(pattern: RegExp): readonly string[] {
  const out = execFileSync(
    'git',
    ['-c', `safe.directory=${repositoryRoot}`, 'ls-files', '--cached', '--others', '--exclude-standard'],
    {
      cwd: repositoryRoot,
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
    },
  )
  return [...new Set(out.split('\n'))].filter((file) => file !== '' && pattern.test(file)).toSorted()
}

export function readText(file: string): string {
  return readFileSync(join(repositoryRoot, file), 'utf8')
}
