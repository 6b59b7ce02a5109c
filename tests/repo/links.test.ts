// A reader who follows a link in the documents arrives: every relative link names a file that is there, and every #fragment a heading in it.
import { existsSync } from 'node:fs'
import { join, posix } from 'node:path'

import { expect, test } from 'vitest'

import { listFiles, readText, repositoryRoot } from './source-files.ts'

interface Link {
  readonly from: string
  /** Relative to the root. */
  readonly path: string
  readonly fragment: string
}

const links = listFiles(/\.md$/).flatMap((from) => readLinks(from, readText(from)))

test('every relative link in the documents leads to a file of the repository', () => {
  expect(links.length).toBeGreaterThan(40)
  const known = new Set(listFiles(/./))
  const dead = links.filter(({ path }) => !known.has(path) && !isFolderOf(known, path))
  expect(dead.map(({ from, path }) => `${from}: ${path}`)).toEqual([])
})

test('every fragment of a link is a heading of the document it leads to', () => {
  const dead = links.filter(
    ({ path, fragment }) => fragment !== '' && path.endsWith('.md') && !readAnchors(path).has(fragment),
  )
  expect(dead.map(({ from, path, fragment }) => `${from}: ${path}#${fragment}`)).toEqual([])
})

function readLinks(from: string, text: string): readonly Link[] {
  return [...withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)]
    .map((match) => match[1] ?? '')
    .filter((target) => !/^[a-z][a-z0-9+.-]*:/i.test(target))
    .map((target) => {
      const [path = '', fragment = ''] = target.split('#')
      const resolved = posix.normalize(posix.join(posix.dirname(from), decodeURIComponent(path)))
      return { from, path: path === '' ? from : resolved.replace(/\/$/, ''), fragment: decodeURIComponent(fragment) }
    })
}

/** As GitHub makes them: lower case, punctuation gone, blanks to dashes. */
function readAnchors(path: string): ReadonlySet<string> {
  if (!existsSync(join(repositoryRoot, path))) return new Set()
  const headings = withoutFences(readText(path)).matchAll(/^#{1,6} +(.+?) *$/gm)
  return new Set(
    [...headings].map((match) =>
      (match[1] ?? '')
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  )
}

function isFolderOf(known: ReadonlySet<string>, path: string): boolean {
  return [...known].some((file) => file.startsWith(`${path}/`))
}

function withoutCode(text: string): string {
  return withoutFences(text).replaceAll(/`[^`\n]*`/g, '')
}

function withoutFences(text: string): string {
  return text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '')
}
