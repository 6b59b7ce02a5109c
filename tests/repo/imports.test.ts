// The import layers (CONVENTIONS §2), with a reason for each line that forbids or allows. An import that no line allows fails.
import { existsSync } from 'node:fs'
import { expect, test } from 'vitest'
import { listFiles, readText } from './source-files.ts'

/** Which packages a place may import, beside itself. */
const layers: readonly { readonly place: string; readonly may: readonly string[]; readonly reason: string }[] = [
  { place: 'core/model', may: [], reason: 'the contracts depend on nothing of ours' },
  { place: 'core/catalogue', may: ['core/model'], reason: 'texts are keyed by the codes of the model' },
  {
    place: 'core/policy',
    may: ['core/model', 'core/catalogue'],
    reason: 'policy is pure: it knows documents and plans, no mechanism',
  },
  {
    place: 'core/importers',
    may: ['core/model', 'core/catalogue', 'core/policy'],
    reason: "others' firewall files become policy documents: pure, like the documents",
  },
  { place: 'drivers/ebpf', may: ['core/model', 'lib/os'], reason: 'a driver enforces a plan; it never knows policy' },
  {
    place: 'drivers/nftables',
    may: ['core/model', 'lib/os'],
    reason: 'a driver enforces a plan; it never knows policy',
  },
  { place: 'drivers/ovs', may: ['core/model', 'lib/os'], reason: 'a driver enforces a plan; it never knows policy' },
  {
    place: 'drivers/nftables-endpoint',
    may: ['core/model', 'lib/os'],
    reason: 'a driver enforces a plan; it never knows policy',
  },
  {
    place: 'drivers/libvirt',
    may: ['core/model', 'lib/os'],
    reason: 'it observes domains; what they mean is decided elsewhere',
  },
  { place: 'lib/os', may: ['core/model'], reason: 'the operating system knows nothing of us' },
  { place: 'lib/reconciler', may: ['core/model', 'lib/os'], reason: 'one loop for every driver' },
  { place: 'lib/protocol', may: ['core/model'], reason: 'messages are made of model words' },
  { place: 'lib/pki', may: ['core/model', 'lib/os'], reason: 'certificates and keys, no application' },
  { place: 'lib/store', may: ['core/model', 'lib/os'], reason: 'the store keeps rows, it decides nothing' },
  {
    place: 'lib/testkit',
    may: ['core/model', 'lib/os', 'drivers/libvirt'],
    reason: 'the lab makes hosts and guests, never product state',
  },
  {
    place: 'lib/datapath-testkit',
    may: ['core/model', 'lib/testkit'],
    reason: 'the same frames and tables for every driver, so it knows none',
  },
  {
    place: 'apps/center',
    may: ['core/model', 'core/catalogue', 'core/policy', 'lib/os', 'lib/protocol', 'lib/pki', 'lib/store'],
    reason: 'the center compiles and publishes; it touches no kernel, so no driver',
  },
  {
    place: 'apps/access-engine',
    may: [
      'core/model',
      'core/catalogue',
      'core/policy',
      'lib/os',
      'lib/protocol',
      'lib/pki',
      'lib/reconciler',
      'drivers/ebpf',
      'drivers/nftables',
      'drivers/nftables-endpoint',
      'drivers/libvirt',
    ],
    reason: 'of policy only the plan parser: a plan leaves nothing to decide on the host',
  },
  {
    place: 'apps/cli',
    may: ['core/model', 'core/catalogue', 'core/policy', 'core/importers', 'lib/os', 'lib/protocol'],
    reason: 'the CLI speaks to the center by its API only, whose forms are in lib/protocol',
  },
  {
    place: 'apps/demo',
    may: ['core/model', 'lib/os', 'lib/testkit'],
    reason: 'the demo drives the programs as their users do',
  },
]

/** Tests and benches may use anything but reach only into packages, not apps' insides from core. */
const freePlaces = ['tests/', 'bench/', 'scripts/']
const pureGlobals = /^(?:node:|fs$|child_process$|net$|http)/

const importPattern =
  /(?:^|\n)\s*(?:import|export)\s(?:[^'"`;]*?\sfrom\s)?['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)/g

function importsOf(file: string): readonly string[] {
  return [...readText(file).matchAll(importPattern)].map((match) => match[1] ?? match[2] ?? '')
}

function placeOf(file: string): string {
  return file.split('/').slice(0, 2).join('/')
}

const packagePlaces = new Map(
  listFiles(/^(?:core|drivers|lib|apps)\/[^/]+\/package\.json$/).map((file) => [
    String(JSON.parse(readText(file)).name),
    placeOf(file),
  ]),
)

/** Folder a specifier leads to, or null for what is not ours. */
function target(file: string, specifier: string): string | null {
  if (specifier.startsWith('@hyperward/')) {
    const name = specifier.split('/').slice(0, 2).join('/')
    return packagePlaces.get(name) ?? `unknown package ${name}`
  }
  if (!specifier.startsWith('.')) return null
  const parts = file.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return placeOf(parts.join('/'))
}

const sources = listFiles(/\.tsx?$/).filter(
  (file) => !freePlaces.some((place) => file.startsWith(place)) && file.includes('/'),
)
const product = sources.filter((file) => !/\.test\.ts$|\/testing\//.test(file))

test('every package has a line in the layer table, and the table names no package that is gone', () => {
  const places = [...packagePlaces.values()].toSorted()
  expect(layers.map((layer) => layer.place).toSorted()).toEqual(places)
})

test('imports go one way: each package imports only what its line allows', () => {
  const wrong = product.flatMap((file) =>
    importsOf(file).flatMap((specifier) => {
      const place = placeOf(file)
      const to = target(file, specifier)
      if (to === null || to === place) return []
      const layer = layers.find((candidate) => candidate.place === place)
      return layer?.may.includes(to) === true
        ? []
        : [`${file} imports ${specifier} (${to}): ${layer?.reason ?? 'no line for it'}`]
    }),
  )
  expect(wrong).toEqual([])
})

test('nothing imports another package by its path: only by its name, through its index', () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith('.') && target(file, specifier) !== placeOf(file))
      .map((specifier) => `${file} imports ${specifier}`),
  )
  expect(wrong).toEqual([])
})

test('core imports no node module: it runs in a browser too', () => {
  const wrong = product
    .filter((file) => file.startsWith('core/'))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => pureGlobals.test(specifier))
        .map((specifier) => `${file}: ${specifier}`),
    )
  expect(wrong).toEqual([])
})

test('only lib/os starts processes', () => {
  const wrong = product
    .filter((file) => !file.startsWith('lib/os/'))
    .flatMap((file) =>
      importsOf(file)
        .filter((specifier) => /^(?:node:)?child_process$/.test(specifier))
        .map(() => file),
    )
  expect(wrong).toEqual([])
})

test('in a driver, desired, decode, diff, render and names do no I/O', () => {
  const pure = product.filter((file) => /^drivers\/[^/]+\/(?:desired|decode|diff|render|names)\.ts$/.test(file))
  const wrong = pure.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith('node:') || specifier === 'koffi' || specifier === '@hyperward/os')
      .map((specifier) => `${file}: ${specifier}`),
  )
  expect(pure.length).toBeGreaterThan(4)
  expect(wrong).toEqual([])
})

test('each imported file exists (the table cannot be fooled by a misspelt path)', () => {
  const wrong = sources.flatMap((file) =>
    importsOf(file)
      .filter((specifier) => specifier.startsWith('.'))
      .filter((specifier) => !existsSync(new URL(specifier, `file://${process.cwd()}/${file}`)))
      .map((specifier) => `${file}: ${specifier}`),
  )
  expect(wrong).toEqual([])
})
