/** Names of aliases and ip sets of one guest and of the cluster → sets of addresses, each a group of the result under its own name. */
import type { Prefix, SourcePlace } from '@hyperward/model'

import type { Unknown } from '../chains/chain.ts'
import { type AddressSet, anyAddress, toAddressSet } from '../document/address-set.ts'
import type { DraftGroup } from '../document/draft.ts'
import type { Namer } from '../document/namer.ts'
import { nestsBelowException, parseMaskedPrefix, parsePrefixRange } from '../parse-prefixes.ts'
import type { PveFile } from './model.ts'

export interface AddressScope {
  /** Of a rule's `source` or `dest`; absent means everything. */
  readonly read: (text: string | undefined) => AddressSet | Unknown
}

export interface Groups {
  readonly namer: Namer
  /** By owner and name. */
  readonly made: Map<string, DraftGroup>
}

/** A guest's own names come first, then the cluster's; `dc/` and `guest/` say which is meant. */
export function createAddressScope(cluster: PveFile | null, guest: PveFile | null, groups: Groups): AddressScope {
  const owners = [guest, cluster].filter((owner) => owner !== null)

  const named = (owner: PveFile, name: string, set: AddressSet, place: SourcePlace | null): AddressSet => {
    if (set.include.length === 0) return set
    const key = `${owner.role.kind === 'guest' ? owner.role.vmid : ''}/${place === null ? '' : '+'}${name}`
    let group = groups.made.get(key)
    if (group === undefined) {
      const text = owner.role.kind === 'guest' ? `vm-${owner.role.vmid}-${name}` : name
      group = { name: groups.namer.name(text, 'networks'), kind: 'networks', set }
      groups.made.set(key, group)
    }
    return { ...set, group: group.name }
  }

  const readAlias = (
    text: string,
  ): { readonly owner: PveFile; readonly name: string; readonly value: string } | null => {
    const { among, name } = split(text.toLowerCase(), owners)
    for (const owner of among) {
      const value = owner.aliases.get(name)
      if (value !== undefined) return { owner, name, value }
    }
    return null
  }

  const readPrefixes = (text: string): readonly Prefix[] | null => {
    const alias = readAlias(text)
    const literal = alias?.value ?? text
    const prefix = parseMaskedPrefix(literal)
    return prefix === null ? parsePrefixRange(literal) : [prefix]
  }

  const readSet = (text: string): AddressSet | Unknown => {
    const { among, name } = split(text.slice(1).toLowerCase(), owners)
    for (const owner of among) {
      const set = owner.sets.get(name)
      if (set === undefined) continue
      const include: Prefix[] = []
      const except: Prefix[] = []
      for (const entry of set.entries) {
        const prefixes = readPrefixes(entry.text)
        if (prefixes === null) return { reason: 'import-unknown-name', detail: entry.text }
        ;(entry.nomatch ? except : include).push(...prefixes)
      }
      if (nestsBelowException(include, except)) return { reason: 'import-set', detail: name }
      return named(owner, name, toAddressSet(include, except), set.place)
    }
    return { reason: 'import-unknown-name', detail: text }
  }

  return {
    read: (text) => {
      if (text === undefined) return anyAddress
      if (text.startsWith('+')) return readSet(text)
      const parts = text.split(',').filter((part) => part !== '')
      if (parts.length === 0) return { reason: 'import-unknown-name', detail: text }
      const [only] = parts
      const alias = parts.length === 1 && only !== undefined ? readAlias(only) : null
      const prefixes: Prefix[] = []
      for (const part of parts) {
        const found = readPrefixes(part)
        if (found === null) return { reason: 'import-unknown-name', detail: part }
        prefixes.push(...found)
      }
      const set = toAddressSet(prefixes)
      return alias === null ? set : named(alias.owner, alias.name, set, null)
    },
  }
}

function split(
  text: string,
  owners: readonly PveFile[],
): { readonly among: readonly PveFile[]; readonly name: string } {
  const match = /^(dc|guest)\/(.*)$/.exec(text)
  if (match === null) return { among: owners, name: text }
  const guest = match[1] === 'guest'
  return { among: owners.filter((owner) => (owner.role.kind === 'guest') === guest), name: match[2] ?? '' }
}
