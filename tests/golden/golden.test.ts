/**
 * Each folder is one case: policy.yaml (or several *.policy.yaml) and inventory.yaml in, diagnostics.txt and a plan per host out. UPDATE_GOLDEN=1 rewrites what comes out;
 * the difference is then read in review.
 */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { formatDiagnostic } from '@hyperward/catalogue'
import { type Diagnostic, type HostPlan, parseRevision } from '@hyperward/model'
import { bundlePolicyFiles, compile, parseHostPlan, parseInventory, parsePolicy, parsePolicyFiles, planText, resolve, validateAgainst } from '@hyperward/policy'
import { expect, test } from 'vitest'

const here = import.meta.dirname
const update = process.env['UPDATE_GOLDEN'] === '1'
const cases = readdirSync(here, { withFileTypes: true }).filter((entry) => entry.isDirectory())

test.each(cases.map((entry) => entry.name))('golden %s', (name) => {
  const folder = join(here, name)
  const { diagnostics, plans } = build(folder)
  const files = new Map(plans.map((plan) => [`${plan.host}.plan.json`, pretty(plan)]))
  files.set('diagnostics.txt', diagnostics.map((diagnostic) => `${formatDiagnostic('en', diagnostic)}\n`).join(''))
  const existing = readdirSync(folder).filter((file) => file.endsWith('.plan.json'))
  if (update) {
    for (const file of existing) if (!files.has(file)) rmSync(join(folder, file))
    for (const [file, text] of files) writeFileSync(join(folder, file), text)
  }
  for (const [file, text] of files) expect(text, file).toBe(readFileSync(join(folder, file), 'utf8'))
  expect(existing.filter((file) => !files.has(file))).toEqual([])
})

test('there are golden cases', () => {
  expect(cases.length).toBeGreaterThan(5)
})

function build(folder: string): { readonly diagnostics: readonly Diagnostic[]; readonly plans: readonly HostPlan[] } {
  const policyFiles = readdirSync(folder)
    .filter((file) => /^(?:.+\.)?policy\.yaml$/.test(file))
    .map((file) => ({ file, text: readFileSync(join(folder, file), 'utf8') }))
  const policy = parsePolicyFiles(policyFiles)
  // stored as one text, it is the same policy with the same diagnostics
  expect(parsePolicy(bundlePolicyFiles(policyFiles), 'stored')).toEqual(policy)
  const inventoryFile = join(folder, 'inventory.yaml')
  const inventoryText = existsSync(inventoryFile) ? readFileSync(inventoryFile, 'utf8') : null
  const inventory = inventoryText === null ? null : parseInventory(inventoryText, 'inventory.yaml')
  const diagnostics = [policy, ...(inventory === null ? [] : [inventory])].flatMap((parsed) =>
    parsed.ok ? parsed.warnings : parsed.diagnostics,
  )
  if (!policy.ok || inventory?.ok !== true) return { diagnostics, plans: [] }
  const resolved = resolve(policy.value, inventory.value)
  const revision = parseRevision(1)
  if (revision === null) return expect.fail('1 is a revision')
  const { plans } = compile(resolved, { revision, sha256 })
  for (const plan of plans) expect(parseHostPlan(planText(plan), sha256)).toEqual({ ok: true, plan })
  return { diagnostics: [...diagnostics, ...validateAgainst(policy.value, inventory.value), ...resolved.problems], plans }
}

/** One line an entry: small enough to read, and a changed verdict is a changed line. */
function pretty(plan: HostPlan): string {
  const { sections, ...head } = plan
  const bodies = Object.entries(sections).map(([key, entries]: readonly [string, readonly unknown[]]) => {
    const lines = entries.map((entry) => `      ${JSON.stringify(entry)}`).join(',\n')
    return `    ${JSON.stringify(key)}: [${lines === '' ? '' : `\n${lines}\n    `}]`
  })
  const heads = Object.entries(head).map(([key, value]) => `  ${JSON.stringify(key)}: ${JSON.stringify(value)}`)
  return `{\n${heads.join(',\n')},\n  "sections": {\n${bodies.join(',\n')}\n  }\n}\n`
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
