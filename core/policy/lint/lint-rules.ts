/** Rules that decide nothing or change nothing, and rules that meet with opposite words; exact over all packets (survey-rules). */
import type { Rule, RuleRef, TenantName } from '@hyperward/model'

import type { Report } from '../document/report.ts'
import { anySide, type IndexedRule } from '../resolve/policy-index.ts'
import type { ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { type PeopledClass } from './class-families.ts'
import { findTimeBound } from './find-time-bound.ts'
import { createPacketNamer } from './name-packet.ts'
import { joinNames, nameGroup, nameRule } from './name-rule.ts'
import { createRegions, type Regions } from './rule-regions.ts'
import { follow, forEachWay, isRefusal, type RuleSurvey, surveyRules } from './survey-rules.ts'

/** Returns the rules of which was said that nothing ever meets them. */
export function lintRules(
  resolved: ResolvedPolicy,
  classes: readonly PeopledClass[],
  report: Report,
): ReadonlySet<Rule> {
  const survey = surveyRules(resolved, classes)
  const regions = createRegions(classes)
  const dead = resolved.index.rules.filter((rule) => !survey.alive.has(rule))
  const told = new Set<Rule>(dead.map(({ rule }) => rule))
  const shadowed = tellDead(classes, dead, regions, report)
  const takers = findTakers(resolved, classes, shadowed)
  const timeBound = findTimeBound(resolved)
  for (const one of shadowed) {
    if (timeBound.has(one.rule.ref)) continue
    const names = [...(takers.get(one) ?? [])]
      .sort((a, b) => a.ordinal - b.ordinal)
      .map((taker) => nameRule(taker.rule))
    report.add(
      'lint.shadowed',
      one.rule.ref,
      one.rule.place,
      { rule: nameRule(one.rule), by: joinNames(names) },
      'warning',
    )
  }
  tellRedundant(resolved, survey, new Set(dead), timeBound, report)
  tellContradictions(resolved, survey, told, regions, report)
  return told
}

/** Tells of rules that no packet meets at all; gives back those that some do, and so are taken by others. */
function tellDead(
  classes: readonly PeopledClass[],
  dead: readonly IndexedRule[],
  regions: Regions,
  report: Report,
): ReadonlySet<IndexedRule> {
  const peopled = new Set<TenantName | null>(classes.map((one) => one.class.signature.tenant))
  const idle = new Map<TenantName, Rule>()
  const shadowed = new Set<IndexedRule>()
  for (const one of dead) {
    const { rule } = one
    if (rule.tenant !== null && !peopled.has(rule.tenant)) {
      if (!idle.has(rule.tenant)) idle.set(rule.tenant, rule)
    } else if (!regions.isEmpty(one)) shadowed.add(one)
    else {
      const { reason, groups } = findReason(one, regions)
      const params = { rule: nameRule(rule), reason, groups: joinNames(groups) }
      report.add('lint.never-matches', rule.ref, rule.place, params, 'warning')
    }
  }
  for (const [tenant, rule] of idle) report.add('lint.idle-tenant', rule.ref, rule.place, { tenant }, 'warning')
  return shadowed
}

/** `reason` is the tail of a term. */
function findReason(
  one: IndexedRule,
  regions: Regions,
): { readonly reason: string; readonly groups: readonly string[] } {
  const { source, destination, appliedTo } = one.rule
  const sides = [
    { reason: 'lint-no-source', number: one.source, side: source },
    { reason: 'lint-no-destination', number: one.destination, side: destination },
    { reason: 'lint-no-applied', number: one.applied, side: appliedTo },
  ]
  for (const { reason, number, side } of sides) {
    if (number === anySide || regions.membersOf(number).length > 0) continue
    return { reason, groups: side?.kind === 'groups' ? side.groups.map(nameGroup) : [] }
  }
  return { reason: regions.hasLocal(one) ? 'lint-no-pair' : 'lint-no-endpoint', groups: [] }
}

/** For rules that never decide: which ones decide what they would. */
function findTakers(
  resolved: ResolvedPolicy,
  classes: readonly PeopledClass[],
  shadowed: ReadonlySet<IndexedRule>,
): ReadonlyMap<IndexedRule, ReadonlySet<IndexedRule>> {
  const takers = new Map<IndexedRule, Set<IndexedRule>>()
  if (shadowed.size === 0) return takers
  forEachWay(
    resolved,
    classes,
    (way) => {
      const wanted = way.filter((one) => shadowed.has(one))
      if (wanted.length === 0) return
      const { rules } = follow(way, null)
      for (const one of wanted) {
        const taker = rules.find(({ rule }) => rule.action !== 'pass' || rule.tier === one.rule.tier)
        if (taker === undefined) continue
        const known = takers.get(one) ?? new Set()
        takers.set(one, known.add(taker))
      }
    },
    { whole: true },
  )
  return takers
}

/** Only rules that can all go at once: none on whose word another that is told here relies. */
function tellRedundant(
  { index }: ResolvedPolicy,
  { relies }: RuleSurvey,
  dead: ReadonlySet<IndexedRule>,
  timeBound: ReadonlySet<RuleRef>,
  report: Report,
): void {
  const going = new Set<IndexedRule | null>(dead)
  const staying = new Set<IndexedRule | null>()
  for (const one of index.rules) {
    const relied = relies.get(one)
    if (relied === undefined || staying.has(one) || [...relied].some((other) => going.has(other))) continue
    if (isWorthItsLine(one, relied) || timeBound.has(one.rule.ref)) continue
    going.add(one)
    for (const other of relied) staying.add(other)
    const names = [...relied].map((other) => (other === null ? 'builtin/default/drop' : nameRule(other.rule)))
    report.add(
      'lint.redundant',
      one.rule.ref,
      one.rule.place,
      { rule: nameRule(one.rule), by: joinNames(names) },
      'warning',
    )
  }
}

/** A refusal that only others repeat (the provider, the default drop) is a wall of one's own; and what is logged is not what is not. */
function isWorthItsLine(one: IndexedRule, relied: ReadonlySet<IndexedRule | null>): boolean {
  const { rule } = one
  const others = [...relied]
  if (rule.origin !== undefined) return true
  if (rule.log && others.some((other) => other !== null && other.rule.action !== 'pass' && !other.rule.log)) return true
  if (!isRefusal(one)) return false
  return others.some((other) => other === null || other.rule.tier !== rule.tier || other.rule.tenant !== rule.tenant)
}

function tellContradictions(
  resolved: ResolvedPolicy,
  survey: RuleSurvey,
  told: ReadonlySet<Rule>,
  regions: Regions,
  report: Report,
): void {
  const namePacket = createPacketNamer(resolved)
  for (const { first, second, example } of survey.meetings) {
    if (first.rule.origin !== undefined || second.rule.origin !== undefined || told.has(second.rule)) continue
    if (regions.isInside(first, second) || regions.isInside(second, first)) continue
    const params = {
      rule: nameRule(second.rule),
      first: nameRule(first.rule),
      action: first.rule.action,
      other: second.rule.action,
      ...namePacket(example),
    }
    report.add('lint.contradiction', second.rule.ref, second.rule.place, params, 'warning')
  }
}
