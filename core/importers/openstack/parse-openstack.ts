/**
 * JSON of `GET /v2.0/security-groups`, of one group, or of `openstack security group show -f json` → groups with their rules. JSON has no places, so
 * each thing is told at the line its id stands in.
 */
import type { SourcePlace } from '@hyperward/model'

import type { SourceText } from '../decode-text.ts'
import type { Report } from '../report.ts'
import type { SecurityGroup, SecurityGroupRule } from './model.ts'

export const jsonMaxDepth = 32

type Json = Readonly<Record<string, unknown>>

/** Null when it is no such document, or anything in it cannot be read; the report says why. */
export function parseOpenstack({ file, text }: SourceText, report: Report): readonly SecurityGroup[] | null {
  const start: SourcePlace = { file, line: 1, column: 1 }
  if (isTooDeep(text)) {
    report.add('import.too-deep', start, { limit: jsonMaxDepth })
    return null
  }
  const written = toGroups(parseJson(text))
  if (written === null) {
    report.add('import.wrong-kind', start, { expected: 'import-kind-openstack' })
    return null
  }
  const placeOf = indexLines(text, file)
  const groups = written.map((json) => parseGroup(json, placeOf, report))
  return groups.every((group) => group !== null) ? groups : null
}

/** Brackets outside of texts, counted before anything recursive sees them. */
function isTooDeep(text: string): boolean {
  let depth = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at]
    if (quoted) {
      if (character === '\\') at += 1
      else if (character === '"') quoted = false
    } else if (character === '"') quoted = true
    else if (character === '[' || character === '{') {
      depth += 1
      if (depth > jsonMaxDepth) return true
    } else if (character === ']' || character === '}') depth -= 1
  }
  return false
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    // not JSON: the caller says what was wanted
    return undefined
  }
}

/** The forms in which the API and its client give groups. Null: none of them. */
function toGroups(json: unknown): readonly Json[] | null {
  if (Array.isArray(json)) return json.length > 0 && json.every(isGroup) ? json : null
  if (!isRecord(json)) return null
  const { security_groups: many, security_group: one } = json
  if (Array.isArray(many)) return many.every(isGroup) ? many : null
  if (isGroup(one)) return [one]
  return isGroup(json) ? [json] : null
}

function isRecord(json: unknown): json is Json {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** A list without rules (`security group list`) is refused: no rules there does not mean no rules. */
function isGroup(json: unknown): json is Json {
  if (!isRecord(json) || typeof json['id'] !== 'string' || typeof json['name'] !== 'string') return false
  return Array.isArray(json['security_group_rules'] ?? json['rules'])
}

function parseGroup(json: Json, placeOf: (id: string) => SourcePlace, report: Report): SecurityGroup | null {
  const id = String(json['id'])
  const place = placeOf(id)
  const fail = (what: unknown): null => {
    report.add('import.malformed', place, { text: JSON.stringify(what).slice(0, 80) })
    return null
  }
  const project = json['project_id'] ?? json['tenant_id'] ?? null
  const stateful = json['stateful'] ?? true
  if (project !== null && typeof project !== 'string') return fail(project)
  if (typeof stateful !== 'boolean') return fail(stateful)
  // as: isGroup saw an array
  const list = (json['security_group_rules'] ?? json['rules']) as readonly unknown[]
  const rules = list.map((rule) => (isRecord(rule) ? parseRule(rule, placeOf, place) : null))
  const wrong = rules.indexOf(null)
  if (wrong >= 0) return fail(list[wrong])
  return { id, name: String(json['name']), project: project === '' ? null : project, stateful, rules: rules.filter((rule) => rule !== null), place } // prettier-ignore
}

const nullable = Symbol('a value of another type')

function parseRule(json: Json, placeOf: (id: string) => SourcePlace, of: SourcePlace): SecurityGroupRule | null {
  const text = (value: unknown): string | null | typeof nullable =>
    value === undefined || value === null || value === '' ? null : typeof value === 'string' ? value : typeof value === 'number' ? String(value) : nullable // prettier-ignore
  const port = (value: unknown): number | null | typeof nullable => {
    if (value === undefined || value === null) return null
    return typeof value === 'number' && Number.isInteger(value) && value >= -1 && value <= 65_535 ? value : nullable
  }
  const { direction, ethertype = json['ether_type'] } = json as { direction?: unknown; ethertype?: unknown } // as: any record has them so
  if (direction !== 'ingress' && direction !== 'egress') return null
  if (ethertype !== 'IPv4' && ethertype !== 'IPv6') return null
  const protocol = text(json['protocol'])
  const portMin = port(json['port_range_min'])
  const portMax = port(json['port_range_max'])
  const remoteGroup = text(json['remote_group_id'])
  const remoteAddressGroup = text(json['remote_address_group_id'])
  const remotePrefix = text(json['remote_ip_prefix'])
  if (protocol === nullable || portMin === nullable || portMax === nullable) return null
  if (remoteGroup === nullable || remoteAddressGroup === nullable || remotePrefix === nullable) return null
  const id = text(json['id'])
  const description = text(json['description'])
  return {
    id: typeof id === 'string' ? id : '',
    description: typeof description === 'string' ? description : '',
    direction,
    ethertype,
    protocol: protocol === 'any' ? null : protocol,
    portMin: portMin === -1 ? null : portMin,
    portMax: portMax === -1 ? null : portMax,
    remoteGroup,
    remoteAddressGroup,
    remotePrefix,
    place: typeof id === 'string' ? placeOf(id) : of,
  }
}

/** Where each id is given to a thing; ids that only refer come after `remote_group_id` and the like. */
function indexLines(text: string, file: string): (id: string) => SourcePlace {
  const lines = new Map<string, number>()
  let line = 1
  let from = 0
  for (const match of text.matchAll(/"id"\s*:\s*"([^"\\]*)"/gi)) {
    for (let at = text.indexOf('\n', from); at >= 0 && at < match.index; at = text.indexOf('\n', at + 1)) line += 1
    from = match.index
    const [, id = ''] = match
    if (!lines.has(id)) lines.set(id, line)
  }
  return (id) => ({ file, line: lines.get(id) ?? 1, column: 1 })
}
