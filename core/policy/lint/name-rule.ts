import type { GroupName, Rule } from '@hyperward/model'

/** A rule in the words of references, without the tier of a tenant's: `acme/shop/web-to-db`, `platform/infrastructure/watch`. */
export function nameRule({ tier, tenant, policy, name }: Pick<Rule, 'tier' | 'tenant' | 'policy' | 'name'>): string {
  return `${tenant ?? tier}/${policy}/${name}`
}

/** A group, service, schedule or profile as documents write it. */
export function nameGroup(name: GroupName): string {
  return name.replace(/^\//, 'provider/')
}

/** Names for a sentence: a few, and how many more. */
export function joinNames(names: readonly string[], limit = 4): string {
  const shown = names.slice(0, limit).join(', ')
  return names.length <= limit ? shown : `${shown} +${names.length - limit}`
}
