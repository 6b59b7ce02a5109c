/** A plan's text → HostPlan, or why it is refused. An agent enforces only what this gave: nothing out of range, unsorted, or other than what the digest says. */
import {
  hostPlanFormat,
  type HostPlan,
  type HostPlanSections,
  hostPlanSchema,
  type OperationErrorCode,
} from '@hyperward/model'

import { compareText } from '../resolve/compare-text.ts'
import { highestValue } from '../resolve/service-table.ts'
import { cutSections, digestPlan, type Sha256 } from './plan-sections.ts'

export type PlanErrorCode = Extract<OperationErrorCode, `plan.${string}`>

export type ParsedPlan =
  | { readonly ok: true; readonly plan: HostPlan }
  | { readonly ok: false; readonly code: PlanErrorCode; readonly message: string }

export function parseHostPlan(text: string, sha256: Sha256): ParsedPlan {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    return refuse(
      'plan.malformed',
      `The plan is not whole JSON (${text.length} characters): it was cut off or altered on its way.`,
    )
  }
  if (typeof json === 'object' && json !== null && 'format' in json && json.format !== hostPlanFormat) {
    return refuse(
      'plan.wrong-format',
      `The plan has format ${JSON.stringify(json.format)}; this release reads ${hostPlanFormat}.`,
    )
  }
  const parsed = hostPlanSchema.safeParse(json)
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    return refuse(
      'plan.malformed',
      `The plan's ${issue?.path.join('.') ?? 'text'}: ${issue?.message ?? 'is malformed'}.`,
    )
  }
  const plan: HostPlan = parsed.data
  const problem = findProblem(plan.sections)
  if (problem !== null) return refuse('plan.inconsistent', `The plan's ${problem}.`)
  const digest = digestPlan(plan.host, cutSections(plan.sections, sha256), sha256)
  if (digest === plan.digest) return { ok: true, plan }
  return refuse('plan.wrong-digest', `The plan says digest ${plan.digest}, but its content has ${digest}.`)
}

function refuse(code: PlanErrorCode, message: string): ParsedPlan {
  return { ok: false, code, message: `${message} The plan held before stays in force.` }
}

function findProblem(sections: HostPlanSections): string | null {
  return findUnsorted(sections) ?? findOutOfRange(sections)
}

/** Strictly ascending, so that nothing is there twice. */
function findUnsorted({
  endpoints,
  zones,
  addresses,
  networks,
  services,
  verdicts,
  rules,
}: HostPlanSections): string | null {
  const checks: readonly (readonly [string, boolean])[] = [
    ['endpoints', isAscending(endpoints, (a, b) => compareText(a.id, b.id))],
    ['zones', isAscending(zones, (a, b) => compareText(a.tenant, b.tenant))],
    ['addresses', isAscending(addresses, (a, b) => compareText(a.address, b.address))],
    ['networks', isAscending(networks, (a, b) => compareText(a.prefix, b.prefix))],
    ['services', isAscending(services, (a, b) => a.protocol - b.protocol || (a.to < b.from ? -1 : 1))],
    ['verdicts', isAscending(verdicts, compareVerdicts)],
    ['rules', isAscending(rules.slice(1), (a, b) => compareText(a.ref, b.ref))],
  ]
  const bad = checks.find(([, sorted]) => !sorted)
  return bad === undefined ? null : `${bad[0]} are not in order, or one is there twice`
}

function compareVerdicts(a: HostPlanSections['verdicts'][number], b: HostPlanSections['verdicts'][number]): number {
  return compareText(a.direction, b.direction) || a.local - b.local || a.peer - b.peer || a.class - b.class
}

function isAscending<T>(items: readonly T[], compare: (a: T, b: T) => number): boolean {
  for (let index = 1; index < items.length; index += 1) {
    const [before, after] = [items[index - 1], items[index]]
    if (before !== undefined && after !== undefined && compare(before, after) >= 0) return false
  }
  return true
}

function findOutOfRange({
  endpoints,
  zones,
  addresses,
  networks,
  services,
  verdicts,
  rules,
}: HostPlanSections): string | null {
  const first = rules[0]
  if (first?.tier !== 'builtin' || first.action !== 'drop' || first.number !== 0)
    return 'first rule is not the default drop'
  const byNumber = new Map(rules.map((rule) => [rule.number, rule]))
  if (byNumber.size !== rules.length) return 'rules have a number twice'
  for (const rule of rules) {
    if ((rule.action === 'inspect') !== (rule.profile !== undefined))
      return `rule ${rule.ref} inspects without a profile, or has one without inspecting`
  }
  if (rules.slice(1).some((rule) => rule.tier === 'builtin')) return 'default drop is there twice'
  const classes = new Set<number>([0])
  for (const service of services) {
    if (service.from > service.to || service.to > highestValue(service.protocol)) {
      return `service class ${service.class} has a range that protocol ${service.protocol} cannot have`
    }
    classes.add(service.class)
  }
  const identities = new Set<number>([0, 1])
  for (const { identity } of addresses) identities.add(identity)
  for (const { identity } of networks) identities.add(identity)
  const zoned = new Set(zones.map((zone) => zone.tenant))
  const unzoned = endpoints.find(
    (endpoint) => !zoned.has(endpoint.tenant) || !endpoint.id.startsWith(`${endpoint.vm}/`),
  )
  if (unzoned !== undefined) return `endpoint ${unzoned.id} has no zone, or another VM's id`
  if (new Set(zones.map((zone) => zone.zone)).size !== zones.length) return 'zones are shared by two tenants'
  for (const verdict of verdicts) {
    const rule = byNumber.get(verdict.rule)
    if (rule === undefined) return `verdict names rule ${verdict.rule}, which is not in the plan`
    if (rule.monitor === true) return `verdict is decided by ${rule.ref}, which is in monitor mode`
    if (rule.action !== verdict.action)
      return `verdict says ${verdict.action} where its rule ${rule.ref} says ${rule.action}`
    if (verdict.monitor !== undefined && byNumber.get(verdict.monitor)?.monitor !== true)
      return `verdict watches rule ${verdict.monitor}, which is not in monitor mode`
    if (verdict.local < 2 || !identities.has(verdict.local))
      return `verdict is of the unknown local identity ${verdict.local}`
    if (!identities.has(verdict.peer)) return `verdict is of the unknown peer identity ${verdict.peer}`
    if (!classes.has(verdict.class)) return `verdict is of the unknown service class ${verdict.class}`
  }
  return null
}
