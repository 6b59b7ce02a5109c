/**
 * Plans as texts of their sections. Most of a plan is the same on every host (each endpoint's address and identity), so each section is rendered, digested
 * and stored once, whatever the number of hosts; a plan's text is put together from them when it is fetched.
 */
import type { HostPlan, HostPlanSections } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import type { PlanSectionRow } from '@hyperward/store'

/** The order of fields in a plan's canonical text (planText of core/policy; a test compares the two). */
const sectionNames = [
  'endpoints',
  'zones',
  'addresses',
  'networks',
  'services',
  'verdicts',
  'rules',
] as const satisfies readonly (keyof HostPlanSections)[]

export interface PlanSections {
  /** In order. The same section object gives the same row without rendering it again. */
  render(plan: HostPlan): readonly PlanSectionRow[]
  ruleRefs(rows: readonly PlanSectionRow[]): ReadonlySet<string>
}

export function createPlanSections(): PlanSections {
  // sections are immutable and shared between hosts and compilations
  const known = new WeakMap<object, PlanSectionRow>()
  const refs = new Map<string, ReadonlySet<string>>()
  return {
    ruleRefs(rows) {
      const row = rows[sectionNames.indexOf('rules')]
      if (row === undefined) throw new Error('a plan lacks its rules')
      const known = refs.get(row.digest)
      if (known !== undefined) return known
      // hosts share sections: a few are in use at a time
      if (refs.size >= 256) refs.clear()
      const rules = JSON.parse(row.body) as HostPlanSections['rules'] // rendered by this center
      const made = new Set<string>(rules.map((rule) => rule.ref))
      refs.set(row.digest, made)
      return made
    },
    render: (plan) =>
      sectionNames.map((name) => {
        const section = plan.sections[name]
        const row = known.get(section)
        if (row !== undefined) return row
        const body = JSON.stringify(section)
        const made = { digest: sha256Hex(body), body }
        known.set(section, made)
        return made
      }),
  }
}

/** Bytes of the frame that carries a plan of these sections, at least. */
export function planFrameBytes(rows: readonly PlanSectionRow[], limit: number): number {
  const bytes = rows.reduce((sum, row) => sum + Buffer.byteLength(row.body), headBytes)
  // the text is a string within JSON: each of its quotes and backslashes takes two; counted only where it matters
  return bytes * 2 <= limit
    ? bytes
    : rows.reduce((sum, row) => sum + Buffer.byteLength(JSON.stringify(row.body)), headBytes)
}

const headBytes = 1024

export function assemblePlan(
  head: Pick<HostPlan, 'format'> & { readonly host: string; readonly revision: number; readonly digest: string },
  sections: readonly PlanSectionRow[],
): string {
  const { format, host, revision, digest } = head
  const bodies = sectionNames.map((name, at) => {
    const section = sections[at]
    if (section === undefined) throw new Error(`the plan of ${host} at revision ${revision} lacks its section ${name}`)
    return `${JSON.stringify(name)}:${section.body}`
  })
  const fields = JSON.stringify({ format, host, revision, digest })
  return `${fields.slice(0, -1)},"sections":{${bodies.join(',')}}}`
}
