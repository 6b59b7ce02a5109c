/** Pins the sentences of docs/policy-language.md about time and about guarantees. */
import { expect, test } from 'vitest'

import { proveGuarantees } from '../prove/prove-guarantees.ts'
import { resolve } from '../resolve/resolve.ts'
import { activeAt, nextChange } from '../schedule/active-at.ts'
import { refusal, toInventory, toPacket, toPolicy } from '../testing/language-world.ts'
import { referenceFate } from '../testing/reference-verdict.ts'

const always = 'from: any, to: any'

function acme(rules: readonly string[], schedule = '{time-zone: UTC, windows: [{}]}', more = ''): string {
  const list = rules.map((rule, index) => `{name: r${index}, ${rule}}`).join(', ')
  return `tenants: {acme: {schedules: {s: ${schedule}}, policies: [{policy: p, rules: [${list}]}]${more}}}`
}

/** What becomes of a packet from web-1 to db-1 at each of the moments. */
function fates(text: string, ...moments: readonly string[]): readonly string[] {
  const policy = toPolicy(text)
  return moments.map((moment) =>
    referenceFate(activeAt(policy, Date.parse(moment)), toInventory(), toPacket('10.0.0.1', '10.0.0.3')),
  )
}

/** Whether a rule under the schedule holds at each of the moments. */
function holds(schedule: string, ...moments: readonly string[]): readonly boolean[] {
  return fates(acme([`${always}, schedule: s, action: allow`], schedule), ...moments).map((fate) => fate === 'allow')
}

test('[W1] a date is 00:00 UTC of the day, a date-time has its zone', () => {
  const until = (text: string, ...moments: readonly string[]): readonly string[] =>
    fates(acme([`${always}, action: allow, expires: ${text}`]), ...moments)
  expect(until('2027-03-01', '2027-02-28T23:59:59.999Z', '2027-03-01T00:00:00Z')).toEqual(['allow', 'drop'])
  expect(until('"2027-03-01T08:00:00+08:00"', '2027-02-28T23:59:59.999Z', '2027-03-01T00:00:00Z')).toEqual([
    'allow',
    'drop',
  ])
})
refusal(
  '[W1] a date-time without a zone, or a day that is none, is no date',
  'date.malformed',
  ...['"2027-03-01T08:00:00"', '2027-02-30', 'soon'].map((text) =>
    acme([`${always}, action: allow, expires: ${text}`]),
  ),
)

test('[W2] what does not hold now is as if it were not there: what comes after it decides', () => {
  const text = acme(
    [
      `${always}, action: reject, expires: 2027-01-01`,
      `${always}, schedule: s, action: drop`,
      `${always}, action: allow`,
    ],
    '{time-zone: UTC, windows: [{from: "08:00", to: "09:00"}]}',
  )
  expect(fates(text, '2026-12-31T12:00:00Z', '2027-01-01T08:30:00Z', '2027-01-01T09:00:00Z')).toEqual([
    'reject',
    'drop',
    'allow',
  ])
  const policy = toPolicy(text)
  expect(
    activeAt(policy, Date.parse('2027-01-01T12:00:00Z')).inactive?.map(({ rule, reason }) => [rule.name, reason]),
  ).toEqual([
    ['r0', 'expired'],
    ['r1', 'schedule'],
  ])
  expect(nextChange(policy, Date.parse('2027-01-01T08:30:00Z'))).toBe(Date.parse('2027-01-01T09:00:00Z'))
})
test('[W2] an exclusion ends too', () => {
  const text = acme(
    [`${always}, action: reject`],
    undefined,
    ', groups: {g: {names: ["*"]}}, exclusions: [{name: x, members: g, reason: r, expires: 2027-01-01}]',
  )
  expect(fates(text, '2026-12-31T00:00:00Z', '2027-01-01T00:00:00Z')).toEqual(['allow', 'reject'])
})
test('[W3] any of the windows, in local time; from is inside, to is not', () => {
  const windows =
    '{time-zone: Asia/Shanghai, windows: [{days: [mon-fri], from: "08:00", to: "18:00"}, {days: sat, from: "10:00", to: "12:00"}]}'
  // 2027-01-04 is a Monday; Shanghai is eight hours before UTC
  expect(
    holds(windows, '2027-01-03T23:59:59Z', '2027-01-04T00:00:00Z', '2027-01-04T09:59:59Z', '2027-01-04T10:00:00Z'),
  ).toEqual([false, true, true, false])
  expect(holds(windows, '2027-01-09T01:59:59Z', '2027-01-09T02:00:00Z', '2027-01-10T02:00:00Z')).toEqual([
    false,
    true,
    false,
  ])
})
test('[W4] without days every day, without times the whole day', () => {
  expect(
    holds(
      '{time-zone: UTC, windows: [{days: wed}]}',
      '2027-01-05T23:59:59Z',
      '2027-01-06T00:00:00Z',
      '2027-01-06T23:59:59Z',
      '2027-01-07T00:00:00Z',
    ),
  ).toEqual([false, true, true, false])
  expect(
    holds(
      '{time-zone: UTC, windows: [{from: "12:00"}]}',
      '2027-01-09T11:59:59Z',
      '2027-01-09T12:00:00Z',
      '2027-01-10T23:59:59Z',
    ),
  ).toEqual([false, true, true])
  expect(holds('{time-zone: UTC, windows: [{to: "12:00"}]}', '2027-01-09T00:00:00Z', '2027-01-10T12:00:00Z')).toEqual([
    true,
    false,
  ])
})
test('[W5] a window that ends before it begins ends on the next day', () => {
  const night = '{time-zone: UTC, windows: [{days: fri, from: "22:00", to: "06:00"}]}'
  // 2027-01-08 is a Friday
  expect(
    holds(
      night,
      '2027-01-08T05:00:00Z',
      '2027-01-08T22:00:00Z',
      '2027-01-09T05:59:59Z',
      '2027-01-09T06:00:00Z',
      '2027-01-09T22:00:00Z',
    ),
  ).toEqual([false, true, true, false, false])
})
test('[W6] first-day and last-day bound when a window begins', () => {
  const bounded =
    '{time-zone: UTC, windows: [{from: "22:00", to: "06:00", first-day: 2027-01-04, last-day: 2027-01-05}]}'
  expect(
    holds(bounded, '2027-01-04T05:00:00Z', '2027-01-04T22:00:00Z', '2027-01-06T05:59:59Z', '2027-01-06T22:00:00Z'),
  ).toEqual([false, true, true, false])
})
refusal(
  '[W7] a schedule that never holds is refused',
  'schedule.never',
  ...[
    '{time-zone: UTC, windows: []}',
    '{time-zone: UTC, windows: [{first-day: 2027-01-02, last-day: 2027-01-01}]}',
    '{time-zone: UTC, windows: [{days: sun, first-day: 2027-01-04, last-day: 2027-01-09}]}',
  ].map((schedule) => acme([], schedule)),
)
refusal(
  '[W7] an unknown time zone is refused',
  'schedule.zone-unknown',
  acme([], '{time-zone: Europe/Atlantis, windows: [{}]}'),
)
test('[W8] an hour that comes twice is inside twice, one that is left out never', () => {
  const early = '{time-zone: Europe/Berlin, windows: [{from: "02:00", to: "03:00"}]}'
  expect(holds(early, '2027-10-31T00:30:00Z', '2027-10-31T01:30:00Z', '2027-10-31T02:30:00Z')).toEqual([
    true,
    true,
    false,
  ])
  expect(holds(early, '2027-03-28T00:59:59Z', '2027-03-28T01:00:00Z', '2027-03-28T01:30:00Z')).toEqual([
    false,
    false,
    false,
  ])
})

const parts = 'groups: {web: {labels: {tier: web}}, db: {labels: {tier: db}}}, profiles: {deep: {}, other: {}}'

/** Whether each guarantee of acme holds under the rules. */
function proven(guarantees: readonly string[], ...rules: readonly string[]): readonly boolean[] {
  const list = (texts: readonly string[]): string => texts.map((text, index) => `{name: n${index}, ${text}}`).join(', ')
  const policy = toPolicy(
    `tenants: {acme: {${parts}, policies: [{policy: p, rules: [${list(rules)}]}], guarantees: [${list(guarantees)}]}}`,
  )
  return proveGuarantees(resolve(policy, toInventory())).map((result) => {
    // a counter-example is a packet that the reference lets break it
    if (result.counterexample === null) return result.holds
    const { packet, explanation } = result.counterexample
    expect(explanation.verdict).toBe(referenceFate(policy, toInventory(), packet))
    return result.holds
  })
}

const toDb = (action: string, service = '{tcp: [5432]}'): string =>
  `from: web, to: db, service: ${service}, action: ${action}`
const side = 'from: web, to: db, service: {tcp: [5432]}'
test('[Q1] never: no such connection passes', () => {
  const stated = [`never: {${side}}`, 'never: {from: web, to: db}']
  expect(proven(stated, toDb('drop'), toDb('allow', '{tcp: [80]}'))).toEqual([true, false])
  expect(proven(stated, toDb('allow'))).toEqual([false, false])
  expect(proven(stated, toDb('allow-stateless'))).toEqual([false, false])
  expect(proven(stated)).toEqual([true, true])
})
test('[Q2] always: each passes', () => {
  const stated = [`always: {${side}}`]
  expect(proven(stated, toDb('allow'))).toEqual([true])
  expect(proven(stated, `from: web, to: db, direction: egress, action: allow`)).toEqual([false])
  expect(proven(stated, `from: {names: [web-1]}, to: db, action: reject`, toDb('allow'))).toEqual([false])
})
test('[Q3] only-through: what passes does so by inspect, under the profile named', () => {
  const stated = [`only-through: {${side}}`, `only-through: {${side}, profile: deep}`]
  expect(proven(stated, toDb('inspect, profile: deep'))).toEqual([true, true])
  expect(proven(stated, toDb('inspect, profile: other'))).toEqual([true, false])
  expect(proven(stated, toDb('allow'))).toEqual([false, false])
  expect(proven(stated)).toEqual([true, true])
})
refusal(
  '[Q4] a guarantee makes exactly one statement',
  'guarantee.one-statement',
  ...['{name: g}', '{name: g, never: {from: any, to: 10.0.0.1}, always: {from: any, to: 10.0.0.1}}'].map(
    (text) => `tenants: {acme: {guarantees: [${text}]}}`,
  ),
)
