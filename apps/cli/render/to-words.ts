/** Values of the API in the words of people: rules, services, times, sizes. */
import { icmpTypeNames, portProtocols, toRuleOrigin, typeProtocols, type RuleOrigin } from '@hyperward/model'

import type { Text } from '../text.ts'

const protocolNames = new Map<number, string>(
  Object.entries({ ...portProtocols, ...typeProtocols }).map(([name, number]) => [number, name]),
)
const portNumbers: ReadonlySet<number> = new Set(Object.values(portProtocols))
const typeNames: ReadonlyMap<number, readonly (readonly [string, number])[]> = new Map([
  [typeProtocols.icmp, Object.entries(icmpTypeNames.icmp)],
  [typeProtocols.icmpv6, Object.entries(icmpTypeNames.icmpv6)],
])

export function toProtocolName(text: Text, protocol: number): string {
  return protocolNames.get(protocol) ?? text('cli.word.protocol', { n: protocol })
}

/** `tcp/443`, `icmp/echo-request`, `protocol 47`. */
export function toServiceName(text: Text, protocol: number, port: number | null): string {
  const name = toProtocolName(text, protocol)
  const types = typeNames.get(protocol)
  if (port === null || (types === undefined && !portNumbers.has(protocol))) return name
  return `${name}/${types?.find(([, type]) => type === port)?.[0] ?? port}`
}

/** `acme / shop / no-outsiders`; a provider rule begins with its tier. */
export function toRuleName(text: Text, { tier, tenant, policy, name }: Omit<RuleOrigin, 'ref'>): string {
  return tier === 'builtin' ? text('cli.word.default-drop') : `${tenant ?? tier} / ${policy} / ${name}`
}

/** From a reference; one that no plan of ours made (it has no policy) is told as it is. */
export function refToRuleName(text: Text, ref: string): string {
  const origin = toRuleOrigin(ref)
  return origin.policy === '' ? ref : toRuleName(text, origin)
}

/** Local time of day with the date, to the second. */
export function toLocalTime(at: string): string {
  const time = new Date(at)
  if (Number.isNaN(time.getTime())) return at
  const two = (value: number): string => String(value).padStart(2, '0')
  const date = `${time.getFullYear()}-${two(time.getMonth() + 1)}-${two(time.getDate())}`
  return `${date} ${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
}

/** How long ago; '–' for never. */
export function toAge(text: Text, at: string | null, now: Date): string {
  if (at === null) return text('cli.word.none')
  const seconds = Math.floor((now.getTime() - Date.parse(at)) / 1000)
  if (Number.isNaN(seconds)) return at
  if (seconds < 1) return text('cli.word.now')
  if (seconds < 60) return text('cli.word.ago-s', { n: seconds })
  if (seconds < 3600) return text('cli.word.ago-m', { n: Math.floor(seconds / 60) })
  return seconds < 172_800
    ? text('cli.word.ago-h', { n: Math.floor(seconds / 3600) })
    : text('cli.word.ago-d', { n: Math.floor(seconds / 86_400) })
}

const sizeUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const

export function toSize(bytes: number): string {
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < sizeUnits.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${sizeUnits[unit]}`
}

/** Labels as `key=value`, sorted. */
export function toLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .sort()
    .join(' ')
}
