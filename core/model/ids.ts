/**
 * Branded ids: swapping two of them does not compile. They are made only by the parsers here.
 * Kernel object names are never made from them directly (drivers' names.ts prefixes and shortens).
 */
declare const brand: unique symbol
type Branded<T, B extends string> = T & { readonly [brand]: B }

/** A tenant's name. */
export type TenantName = Branded<string, 'TenantName'>
/** A group's qualified name: `<tenant>/<group>`, or `/<group>` for the provider's. */
export type GroupName = Branded<string, 'GroupName'>
/** A host's name, as enrolled. */
export type HostName = Branded<string, 'HostName'>
/** A VM's UUID in lower-case canonical form (RFC 9562). */
export type VmUuid = Branded<string, 'VmUuid'>
/** A MAC in lower-case colon form, unicast. */
export type Mac = Branded<string, 'Mac'>
/** One enforced network attachment: `<vm uuid>/<mac>`. */
export type EndpointId = Branded<string, 'EndpointId'>
/** A rule's origin in one word: `<tier>:<tenant>/<policy>/<rule>`; the tenant part is empty for provider tiers. */
export type RuleRef = Branded<string, 'RuleRef'>
/** Counter of published policy; only grows; 0 = nothing published. */
export type Revision = Branded<number, 'Revision'>
/** SHA-256 as 64 lower-case hex digits. */
export type Digest = Branded<string, 'Digest'>
/** The class of addresses that no rule tells apart, 0..2^32-1. 0 is the wildcard peer, 1 an address in no group ("world"). */
export type Identity = Branded<number, 'Identity'>

/** Longest user-given name, in UTF-16 code units. */
export const nameMaxLength = 63

const namePattern = /^[\p{L}\p{N}](?:[\p{L}\p{N}._-]*[\p{L}\p{N}])?$/u
const uuidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
const macPattern = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/
const hostPattern = /^[a-z0-9](?:[a-z0-9.-]{0,61}[a-z0-9])?$/
const digestPattern = /^[0-9a-f]{64}$/

/** Letters and digits of any script, inside also `.`, `_`, `-`; at most {@link nameMaxLength}. Kernel keywords are fine: they never become kernel names. */
export function isName(text: string): boolean {
  return text.length <= nameMaxLength && namePattern.test(text)
}

export function parseTenantName(text: string): TenantName | null {
  return isName(text) ? (text as TenantName) : null
}

/** `tenant` null = the provider's own group. */
export function toGroupName(tenant: TenantName | null, name: string): GroupName {
  return `${tenant ?? ''}/${name}` as GroupName
}

export function parseHostName(text: string): HostName | null {
  return hostPattern.test(text) ? (text as HostName) : null
}

export function parseVmUuid(text: string): VmUuid | null {
  const lower = text.toLowerCase()
  return uuidPattern.test(lower) ? (lower as VmUuid) : null
}

/** Refuses group (multicast, broadcast) addresses and the zero address: a VM's own MAC is neither. */
export function parseMac(text: string): Mac | null {
  const lower = text.toLowerCase().replaceAll('-', ':')
  if (!macPattern.test(lower) || lower === '00:00:00:00:00:00') return null
  return (Number.parseInt(lower.slice(0, 2), 16) & 1) === 1 ? null : (lower as Mac)
}

export function toEndpointId(vm: VmUuid, mac: Mac): EndpointId {
  return `${vm}/${mac}` as EndpointId
}

export function parseEndpointId(text: string): EndpointId | null {
  const [vm, mac, ...rest] = text.split('/')
  if (vm === undefined || mac === undefined || rest.length > 0) return null
  const uuid = parseVmUuid(vm)
  const parsedMac = parseMac(mac)
  return uuid === null || parsedMac === null ? null : toEndpointId(uuid, parsedMac)
}

export type Tier = 'emergency' | 'platform' | 'tenant' | 'baseline' | 'builtin'

/** `tenant` is null for provider tiers and for what is built in. */
export function toRuleRef(tier: Tier, tenant: TenantName | null, policy: string, rule: string): RuleRef {
  return `${tier}:${tenant ?? ''}/${policy}/${rule}` as RuleRef
}

/** The rule that decides when no rule matches: always drop. */
export const defaultDropRef = toRuleRef('builtin', null, 'default', 'drop')

export function parseRevision(value: unknown): Revision | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? (value as Revision) : null
}

export function parseDigest(text: string): Digest | null {
  return digestPattern.test(text) ? (text as Digest) : null
}

/** For the compiler, which makes identities; throws outside 0..2^32-1 because that is a bug. */
export function toIdentity(value: number): Identity {
  if (!Number.isInteger(value) || value < 0 || value > 0xffff_ffff) throw new Error(`identity out of range: ${value}`)
  return value as Identity
}

export const anyIdentity = toIdentity(0)
export const worldIdentity = toIdentity(1)
