/** Random rules, exclusions and guarantees of one owner, as YAML in flow style without the `name`. For tests only. */
import * as fc from 'fast-check'

import { exceptText, networkListText, prefixText, selectorText, serviceText } from './arbitrary-selector.ts'

/** What its writer can name. */
export interface RuleWords {
  readonly groups: readonly string[]
  readonly services: readonly string[]
  readonly profiles: readonly string[]
  readonly schedules: readonly string[]
  readonly seesTenants: boolean
}

export interface ArbitraryRule {
  readonly rule: fc.Arbitrary<string>
  /** A side that is not `any`. */
  readonly side: fc.Arbitrary<string>
  readonly exclusion: fc.Arbitrary<string>
  readonly statement: (side: fc.Arbitrary<string>) => fc.Arbitrary<string>
}

const actions = ['allow', 'allow', 'allow', 'drop', 'drop', 'reject', 'pass', 'allow-stateless', 'inspect'] as const

export function arbitraryRule(words: RuleWords): ArbitraryRule {
  const side = arbitrarySide(words)
  const anySide = fc.oneof({ weight: 1, arbitrary: fc.constant('any') }, { weight: 4, arbitrary: side })
  const service = arbitraryService(words)
  const rule = fc
    .record({
      from: anySide,
      to: anySide,
      service: fc.option(service),
      direction: fc.constantFrom(null, 'both', 'ingress', 'egress'),
      appliedTo: rarely(side),
      action: fc.constantFrom(...actions),
      profile: fc.constantFrom(...words.profiles),
      extras: arbitraryExtras(words),
    })
    .map(({ from, to, service: some, direction, appliedTo, action, profile, extras }) =>
      [
        `from: ${from}, to: ${to}`,
        some === null ? '' : `, service: ${some}`,
        direction === null ? '' : `, direction: ${direction}`,
        appliedTo === '' ? '' : `, applied-to: ${appliedTo}`,
        `, action: ${action}`,
        action === 'inspect' ? `, profile: ${profile}` : '',
        extras,
      ].join(''),
    )
  const exclusion = side.map((text) => `members: ${text}, reason: agreed with the owner, expires: 2099-01-01`)
  return {
    rule,
    side,
    exclusion,
    statement: (ends) =>
      fc
        .record({
          kind: fc.constantFrom('never', 'always', 'only-through'),
          from: ends,
          to: anySide,
          service: fc.option(service),
        })
        .map(({ kind, from, to, service: some }) => {
          const serviceField = some === null ? '' : `, service: ${some}`
          return `${kind}: {from: ${from}, to: ${to}${serviceField}}`
        }),
  }
}

function arbitrarySide({ groups, seesTenants }: RuleWords): fc.Arbitrary<string> {
  const name = fc.constantFrom(...groups)
  const item = fc.oneof({ weight: 5, arbitrary: name }, { weight: 1, arbitrary: prefixText })
  const names = fc.uniqueArray(item, { minLength: 1, maxLength: 3 })
  // a single text is a list of one, in the long form too
  const toList = (items: readonly string[]): string => (items.length === 1 ? items.join('') : `[${items.join(', ')}]`)
  const list = names.map(toList)
  // a side of which nothing is left by what is written is refused
  const difference = fc
    .tuple(names, names)
    .filter(([some, not]) => some.some((one) => !not.includes(one)))
    .map(([some, not]) => `{any-of: ${toList(some)}, not: ${toList(not)}}`)
  return fc.oneof(
    { weight: 6, arbitrary: name },
    { weight: 1, arbitrary: prefixText },
    { weight: 3, arbitrary: list },
    { weight: 1, arbitrary: list.map((items) => `{not: ${items}}`) },
    { weight: 2, arbitrary: difference },
    { weight: 1, arbitrary: selectorText(seesTenants).map((text) => `{${text}}`) },
    {
      weight: 1,
      arbitrary: fc.tuple(networkListText, exceptText).map(([networks, except]) => `{networks: ${networks}${except}}`),
    },
  )
}

function arbitraryService({ services }: RuleWords): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 3, arbitrary: serviceText },
    { weight: 1, arbitrary: fc.constantFrom(...services) },
    {
      weight: 1,
      arbitrary: fc
        .uniqueArray(fc.constantFrom(...services), { minLength: 1, maxLength: 3 })
        .map((names) => `[${names.join(', ')}]`),
    },
  )
}

/** What changes no verdict of an active rule, and monitor mode. */
function arbitraryExtras({ schedules }: RuleWords): fc.Arbitrary<string> {
  return fc
    .tuple(
      rarely(fc.constantFrom(', log: true', ', log: false', ', log: {rate: 5}')),
      rarely(fc.constant(', monitor: true')),
      rarely(fc.constantFrom(...schedules).map((name) => `, schedule: ${name}`)),
      rarely(fc.constantFrom(', expires: 2099-06-01', ', expires: "2098-01-01T12:00:00+02:00"')),
      rarely(fc.constant(', description: as agreed, labels: {team: net}')),
    )
    .map((parts) => parts.join(''))
}

function rarely(text: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant('') }, { weight: 1, arbitrary: text })
}
