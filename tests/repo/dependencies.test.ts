import { expect, test } from 'vitest'
import { listFiles, readText } from './source-files.ts'

interface LockEntry {
  readonly resolved?: string
  readonly license?: string
  readonly link?: boolean
  readonly dev?: boolean
  readonly hasInstallScript?: boolean
}

const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, LockEntry> } // as: npm writes this shape
const entries = Object.entries(lock.packages).filter(
  ([path, entry]) => path.startsWith('node_modules/') && entry.link !== true,
)

/** Licences that an Apache-2.0 product may ship or be built with. */
const allowedLicenses =
  /^(?:MIT|ISC|Apache-2\.0|BSD-2-Clause|BSD-3-Clause|0BSD|CC0-1\.0|BlueOak-1\.0\.0|MIT-0|MPL-2\.0|Unlicense|Python-2\.0)$/

test('every dependency is pinned to one version', () => {
  const loose = listFiles(/(?:^|\/)package\.json$/).flatMap((file) => {
    const manifest = JSON.parse(readText(file)) as Record<string, Record<string, string> | undefined> // as: package.json
    return ['dependencies', 'devDependencies']
      .flatMap((kind) => Object.entries(manifest[kind] ?? {}))
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `${file}: ${name} ${version}`)
  })
  expect(loose).toEqual([])
})

test('every dependency has a licence we accept', () => {
  const packageLicense = (path: string): string => {
    const manifest = JSON.parse(readText(`${path}/package.json`)) as { license?: string } // as: package.json
    return manifest.license ?? 'none'
  }
  const refused = entries
    .map(([path, entry]) => [path, entry.license ?? packageLicense(path)] as const)
    .filter(
      ([, license]) =>
        !license
          .replaceAll(/[()]/g, '')
          .split(' OR ')
          .some((part) => allowedLicenses.test(part)),
    )
  expect(refused).toEqual([])
})

test('the lock file names no download address', () => {
  expect(entries.filter(([, entry]) => entry.resolved !== undefined).map(([path]) => path)).toEqual([])
})
