// The policies under examples/ are what a reader starts from: they parse, are laid out as `hyperward fmt` does, and keep what they guarantee.
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

import { expect, test } from 'vitest'

import { formatPolicy } from '../format/format-policy.ts'
import { parseInventory } from '../parse/parse-inventory.ts'
import { parsePolicyFiles } from '../parse/parse-policy.ts'
import { proveGuarantees } from '../prove/prove-guarantees.ts'
import { resolve } from '../resolve/resolve.ts'
import { activeAt } from '../schedule/active-at.ts'

const examples = join(import.meta.dirname, '../../../examples')
const read = (...path: readonly string[]): string => readFileSync(join(examples, ...path), 'utf8')
const cloud = readdirSync(join(examples, 'cloud/policy')).map((name) => join('cloud/policy', name))
const demo = ['demo/policy.yaml', 'demo/policy-changed.yaml']

test.each([...cloud, ...demo])('%s is laid out as fmt does', (file) => {
  expect(formatPolicy(read(file), file)).toMatchObject({ ok: true, value: read(file) })
})

test.each([[cloud], ...demo.map((file) => [[file]])])('%s parses', (files) => {
  const parsed = parsePolicyFiles(files.map((file) => ({ file, text: read(file) })))
  expect(parsed.ok ? [] : parsed.diagnostics).toEqual([])
})

// a weekend night in Shanghai, a working day in Berlin, and after what ends there has ended
test.each(['2026-11-28T18:00:00Z', '2026-11-24T09:00:00Z', '2028-01-01T00:00:00Z'])(
  'each guarantee of examples/cloud holds at %s, and speaks of something',
  (moment) => {
    const policy = parsePolicyFiles(cloud.map((file) => ({ file, text: read(file) })))
    const inventory = parseInventory(read('cloud/inventory.yaml'), 'inventory.yaml')
    if (!policy.ok || !inventory.ok) return expect.fail('the example does not parse')
    const proofs = proveGuarantees(resolve(activeAt(policy.value, Date.parse(moment)), inventory.value))
    expect(proofs.map(({ guarantee, holds, vacuous }) => [guarantee.name, holds, vacuous])).toEqual([
      ['/tenants-stay-apart', true, false],
      ['/monitoring-sees-everything', true, false],
      ['acme/database-only-from-the-application', true, false],
      ['acme/customers-are-inspected', true, false],
    ])
  },
)
