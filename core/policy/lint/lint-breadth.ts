/** Rules that let through more than a policy is written for: everything, or every service from or to the world. */
import { type Group, type GroupName, type Policy, type Rule, type RuleSide, type Service } from '@hyperward/model'

import type { Report } from '../document/report.ts'
import { highestValue } from '../resolve/service-table.ts'
import { nameRule } from './name-rule.ts'

export function lintBreadth(policy: Policy, report: Report): void {
  const groups = new Map(policy.groups.map((group) => [group.name, group]))
  for (const rule of policy.rules) {
    if (rule.monitor || !opens(rule)) continue
    const service = findWholeProtocol(rule.service)
    if (service === null) continue
    const from = isWorld(rule.source, groups)
    const to = isWorld(rule.destination, groups)
    const params = { rule: nameRule(rule), service }
    if (from && to) report.add('lint.allows-everything', rule.ref, rule.place, params, 'warning')
    else if (from) report.add('lint.open-to-world', rule.ref, rule.place, params, 'warning')
    else if (to) report.add('lint.open-from-inside', rule.ref, rule.place, params, 'warning')
  }
}

function opens({ action }: Rule): boolean {
  return action === 'allow' || action === 'allow-stateless'
}

/** `any`, or a protocol of which every port is named; null when the service is narrower. */
function findWholeProtocol(service: Service): string | null {
  if (service.kind === 'any') return 'any'
  const names = new Map([
    [6, 'tcp any'],
    [17, 'udp any'],
  ])
  for (const { protocol, ranges } of service.entries) {
    const name = names.get(protocol)
    const [first] = ranges
    const whole = ranges.length === 0 || (first !== undefined && first.from <= 1 && first.to === highestValue(protocol))
    if (name !== undefined && whole) return name
  }
  return null
}

/** It holds every address of a family, but for some. */
function isWorld(side: RuleSide, groups: ReadonlyMap<GroupName, Group>): boolean {
  if (side.kind === 'any') return true
  const seen = new Set(side.groups)
  for (const name of seen) {
    const selector = groups.get(name)?.selector
    if (selector?.kind === 'groups') for (const member of selector.groups) seen.add(member)
    if (selector?.kind === 'networks' && selector.networks.some((prefix) => prefix.endsWith('/0'))) return true
  }
  return false
}
