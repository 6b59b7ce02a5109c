/**
 * What may stand in each field of a policy document: the one table from which the JSON Schema and the formatter's order are made. The names of the
 * fields come from fields.ts, as the parser's do: a field that is there and not here does not compile. Texts are in the catalogue (`language.*`).
 */
import type { MessageKey } from '@hyperward/catalogue'
import { icmpTypeNames } from '@hyperward/model'

import { orderLimit } from '../parse/parse-policies.ts'
import {
  defaultActions,
  type envelopeFields,
  type exclusionFields,
  type expressionFields,
  type criterionFields,
  type groupFields,
  type guaranteeFields,
  type inlineSelectorFields,
  type logFields,
  type policyDocumentFields,
  type policyFields,
  type profileFields,
  type providerFields,
  ruleActions,
  ruleDirections,
  type ruleFields,
  type scheduleFields,
  type serviceFields,
  type sideFields,
  type statementFields,
  type tenantFields,
  type throughFields,
  weekdays,
  type windowFields,
} from './fields.ts'

/** What a value may be. Every value is read as text, so a number or a truth value of YAML is a text here. */
export type Shape =
  | { readonly kind: 'text'; readonly pattern?: string; readonly examples?: readonly string[] }
  | { readonly kind: 'choice'; readonly values: readonly string[] }
  | { readonly kind: 'truth' }
  | { readonly kind: 'number'; readonly minimum: number; readonly maximum: number }
  | { readonly kind: 'list'; readonly of: Shape; readonly minimum?: 1 }
  /** A mapping from the user's names (or label keys). */
  | { readonly kind: 'map'; readonly keys: 'names' | 'labels'; readonly of: Shape; readonly minimum?: 1 }
  | { readonly kind: 'record'; readonly record: RecordName }
  | { readonly kind: 'either'; readonly of: readonly Shape[] }

export interface FieldSpec {
  readonly text: Extract<MessageKey, `language.${string}`>
  readonly shape: Shape
  readonly required?: true
  /** Of the provider only. */
  readonly providerOnly?: true
}

interface RecordFields {
  readonly document: typeof envelopeFields | typeof policyDocumentFields
  readonly provider: typeof providerFields
  readonly tenant: typeof tenantFields
  readonly policy: typeof policyFields
  readonly rule: typeof ruleFields
  readonly log: typeof logFields
  readonly group: typeof groupFields
  readonly criteria: typeof criterionFields
  readonly selector: typeof inlineSelectorFields
  readonly expression: typeof expressionFields
  readonly side: typeof sideFields
  readonly service: typeof serviceFields
  readonly schedule: typeof scheduleFields
  readonly window: typeof windowFields
  readonly profile: typeof profileFields
  readonly exclusion: typeof exclusionFields
  readonly guarantee: typeof guaranteeFields
  readonly statement: typeof statementFields
  readonly through: typeof throughFields
}

export type RecordName = keyof RecordFields
export type Grammar = { readonly [R in RecordName]: Readonly<Record<RecordFields[R][number], FieldSpec>> }

const namePattern = '[\\p{L}\\p{N}]([\\p{L}\\p{N}._-]*[\\p{L}\\p{N}])?'
/** Of a user's own name. */
export const ownName = `^${namePattern}$`
/** A prefix or an address: what the parser reads exactly is only sketched for the editor. */
const prefixPattern = '[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*(/[0-9]{1,3})?'

const text: Shape = { kind: 'text' }
const record = (name: RecordName): Shape => ({ kind: 'record', record: name })
const list = (of: Shape): Shape => ({ kind: 'list', of })
const some = (of: Shape): Shape => ({ kind: 'list', of, minimum: 1 })
const either = (...of: readonly Shape[]): Shape => ({ kind: 'either', of })
const oneOrSome = (of: Shape): Shape => either(of, some(of))
const names = (of: Shape): Shape => ({ kind: 'map', keys: 'names', of })
const ownNameText: Shape = { kind: 'text', pattern: ownName }
const reference: Shape = { kind: 'text', pattern: `^(${namePattern}/)?${namePattern}$` }
const prefix: Shape = { kind: 'text', pattern: `^${prefixPattern}$`, examples: ['203.0.113.0/24', '2001:db8::/32'] }
const groupOrPrefix: Shape = {
  kind: 'text',
  pattern: `^((${namePattern}/)?${namePattern}|${prefixPattern})$`,
  examples: ['any', 'web', 'provider/monitoring', '203.0.113.0/24'],
}
const side = either(groupOrPrefix, some(groupOrPrefix), record('side'), record('selector'))
const service = either({ ...reference, examples: ['any', 'common/ssh'] }, some(reference), record('service'))
const patterns = oneOrSome({ kind: 'text', examples: ['web-*', 'debian 1?'] })
const portPattern = '^(any|[0-9]{1,5}(\\s*[-:]\\s*[0-9]{1,5})?)$'
const ports = oneOrSome({ kind: 'text', pattern: portPattern, examples: ['443', '8000-8100', 'any'] })
const types = (protocol: keyof typeof icmpTypeNames): Shape =>
  oneOrSome(
    either({ kind: 'choice', values: Object.keys(icmpTypeNames[protocol]) }, { kind: 'text', pattern: portPattern }),
  )
const labelValues: Shape = { kind: 'map', keys: 'labels', of: either(text, some(text)), minimum: 1 }
const moment: Shape = {
  kind: 'text',
  pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ].+)?$',
  examples: ['2027-01-01', '2027-01-01T18:00:00+08:00'],
}
const day: Shape = { kind: 'text', pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}$', examples: ['2027-01-01'] }
const dayPattern = `^(${weekdays.join('|')})(-(${weekdays.join('|')}))?$`

const scope = {
  groups: { text: 'language.groups', shape: names(record('group')) },
  services: { text: 'language.services', shape: names(record('service')) },
  schedules: { text: 'language.schedules', shape: names(record('schedule')) },
  profiles: { text: 'language.profiles', shape: names(record('profile')) },
} as const
const lists = {
  exclusions: { text: 'language.exclusions', shape: list(record('exclusion')) },
  guarantees: { text: 'language.guarantees', shape: list(record('guarantee')) },
} as const
const policies = list(record('policy'))
const criteria = {
  labels: { text: 'language.labels', shape: labelValues },
  expressions: { text: 'language.expressions', shape: some(record('expression')) },
  names: { text: 'language.names', shape: patterns },
  os: { text: 'language.os', shape: patterns },
  hosts: { text: 'language.hosts', shape: patterns },
  segments: { text: 'language.segments', shape: patterns },
} as const
const endpoints = {
  ...criteria,
  tenants: { text: 'language.of-tenants', shape: oneOrSome(ownNameText), providerOnly: true },
  not: { text: 'language.not', shape: record('criteria') },
} as const
const networks = { text: 'language.networks', shape: oneOrSome(prefix) } as const
const statement = {
  from: { text: 'language.from', shape: side, required: true },
  to: { text: 'language.to', shape: side, required: true },
  service: { text: 'language.service', shape: service },
} as const
const description = { text: 'language.description', shape: text } as const

export const grammar: Grammar = {
  document: {
    apiVersion: { text: 'language.apiVersion', shape: { kind: 'choice', values: ['hyperward/v1'] }, required: true },
    kind: { text: 'language.kind', shape: { kind: 'choice', values: ['Policy'] }, required: true },
    provider: { text: 'language.provider', shape: record('provider') },
    tenants: { text: 'language.tenants', shape: names(record('tenant')) },
  },
  provider: {
    ...scope,
    emergency: { text: 'language.emergency', shape: policies },
    platform: { text: 'language.platform', shape: policies },
    baseline: { text: 'language.baseline', shape: policies },
    ...lists,
  },
  tenant: {
    ...scope,
    policies: { text: 'language.policies', shape: policies },
    ...lists,
    default: { text: 'language.default', shape: { kind: 'choice', values: defaultActions } },
  },
  policy: {
    policy: { text: 'language.policy', shape: ownNameText, required: true },
    order: { text: 'language.order', shape: { kind: 'number', minimum: -orderLimit, maximum: orderLimit } },
    description,
    rules: { text: 'language.rules', shape: list(record('rule')), required: true },
  },
  rule: {
    name: { text: 'language.rule-name', shape: ownNameText, required: true },
    description,
    ...statement,
    direction: { text: 'language.direction', shape: { kind: 'choice', values: ruleDirections } },
    'applied-to': { text: 'language.applied-to', shape: side },
    action: { text: 'language.action', shape: { kind: 'choice', values: ruleActions }, required: true },
    profile: { text: 'language.profile', shape: reference },
    log: { text: 'language.log', shape: either({ kind: 'truth' }, record('log')) },
    monitor: { text: 'language.monitor', shape: { kind: 'truth' } },
    schedule: { text: 'language.schedule', shape: reference },
    expires: { text: 'language.expires', shape: moment },
    labels: { text: 'language.rule-labels', shape: { kind: 'map', keys: 'labels', of: text } },
  },
  log: {
    rate: { text: 'language.rate', shape: { kind: 'number', minimum: 1, maximum: 1_000_000 }, required: true },
  },
  group: {
    ...endpoints,
    networks,
    groups: { text: 'language.of-groups', shape: oneOrSome(reference) },
    except: { text: 'language.except', shape: oneOrSome(groupOrPrefix) },
  },
  criteria,
  selector: { ...endpoints, networks, except: { text: 'language.except', shape: oneOrSome(prefix) } },
  expression: {
    label: { text: 'language.label', shape: text, required: true },
    in: { text: 'language.in', shape: oneOrSome(text) },
    notin: { text: 'language.notin', shape: oneOrSome(text) },
    exists: { text: 'language.exists', shape: { kind: 'truth' } },
  },
  side: {
    'any-of': { text: 'language.any-of', shape: oneOrSome(groupOrPrefix) },
    not: { text: 'language.not-of', shape: oneOrSome(groupOrPrefix) },
  },
  service: {
    tcp: { text: 'language.tcp', shape: ports },
    udp: { text: 'language.udp', shape: ports },
    sctp: { text: 'language.sctp', shape: ports },
    icmp: { text: 'language.icmp', shape: types('icmp') },
    icmpv6: { text: 'language.icmpv6', shape: types('icmpv6') },
    protocol: { text: 'language.protocol', shape: oneOrSome({ kind: 'number', minimum: 0, maximum: 255 }) },
    services: { text: 'language.of-services', shape: oneOrSome(reference) },
  },
  schedule: {
    'time-zone': {
      text: 'language.time-zone',
      shape: { kind: 'text', examples: ['Europe/Berlin', 'Asia/Shanghai', 'UTC'] },
      required: true,
    },
    windows: { text: 'language.windows', shape: some(record('window')), required: true },
  },
  window: {
    days: {
      text: 'language.days',
      shape: oneOrSome({ kind: 'text', pattern: dayPattern, examples: ['mon-fri', 'sat'] }),
    },
    from: { text: 'language.time-from', shape: { kind: 'text', examples: ['08:00'] } },
    to: { text: 'language.time-to', shape: { kind: 'text', examples: ['18:00', '24:00'] } },
    'first-day': { text: 'language.first-day', shape: day },
    'last-day': { text: 'language.last-day', shape: day },
  },
  profile: { description },
  exclusion: {
    name: { text: 'language.exclusion-name', shape: ownNameText, required: true },
    members: { text: 'language.members', shape: side, required: true },
    reason: { text: 'language.reason', shape: text, required: true },
    expires: { text: 'language.expires', shape: moment, required: true },
  },
  guarantee: {
    name: { text: 'language.guarantee-name', shape: ownNameText, required: true },
    description,
    never: { text: 'language.never', shape: record('statement') },
    always: { text: 'language.always', shape: record('statement') },
    'only-through': { text: 'language.only-through', shape: record('through') },
  },
  statement,
  through: { ...statement, profile: { text: 'language.through-profile', shape: reference } },
}
