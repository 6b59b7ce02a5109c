/** How a name in a document finds its group or service: bare = the writer's own, `provider/x` = the provider's, `tenant/x` = a tenant's (for the provider). */
import { type GroupName, type TenantName, toGroupName } from '@hyperward/model'

export type Lookup =
  | { readonly kind: 'found'; readonly name: GroupName }
  | { readonly kind: 'foreign' }
  | { readonly kind: 'unknown' }

/** A set or a map by qualified name. */
export type KnownNames = Pick<ReadonlySet<GroupName>, 'has' | 'keys'>

/** `known` holds qualified names; services are qualified the same way as groups. */
export function lookupName(text: string, own: TenantName | null, known: KnownNames): Lookup {
  const slash = text.indexOf('/')
  const owner = slash < 0 ? own : text.slice(0, slash)
  const bare = slash < 0 ? text : text.slice(slash + 1)
  const provider = owner === null || owner === 'provider'
  if (!provider && own !== null && owner !== own) return { kind: 'foreign' }
  // a tenant name out of the text is only used to ask the set of known names
  const name = toGroupName(provider ? null : (owner as TenantName), bare)
  if (known.has(name)) return { kind: 'found', name }
  return { kind: 'unknown' }
}

/** Known names as this writer would write them. */
export function* visibleNames(own: TenantName | null, known: KnownNames): Iterable<string> {
  for (const name of known.keys()) {
    const slash = name.indexOf('/')
    const owner = name.slice(0, slash)
    if (owner === (own ?? '')) yield name.slice(slash + 1)
    else if (owner === '') yield `provider${name}`
    else if (own === null) yield name
  }
}
