/** `ipset save` text → sets of addresses. Sets of anything else are kept by name, without members: a rule that asks them is not exact. */
import type { Prefix } from '@hyperward/model'

import { nestsBelowException, parseMaskedPrefix, parsePrefixRange } from '../parse-prefixes.ts'
import type { Report } from '../report.ts'
import type { IpSet, IpsetFile } from './model.ts'

interface OpenSet {
  readonly line: number
  readonly addresses: boolean
  readonly list: boolean
  readonly include: Prefix[]
  readonly except: Prefix[]
  readonly members: string[]
}

export function parseIpset(file: string, lines: readonly string[], report: Report): IpsetFile | null {
  const sets = new Map<string, OpenSet>()
  let broken = false
  for (const [index, line] of lines.entries()) {
    const words = line.trim().split(/\s+/)
    const [command = '', name = '', value = ''] = words
    if (command === '' || command.startsWith('#')) continue
    const set = sets.get(name)
    if (command === 'create' && set === undefined && value !== '') {
      const addresses = /^hash:(?:ip|net)$|^bitmap:ip$/.test(value)
      sets.set(name, { line: index + 1, addresses, list: value === 'list:set', include: [], except: [], members: [] })
    } else if (command === 'add' && set !== undefined && value !== '') {
      if (set.list) set.members.push(value)
      if (!set.addresses) continue
      const prefix = parseMaskedPrefix(value)
      const prefixes = prefix === null ? parsePrefixRange(value) : [prefix]
      if (prefixes === null) {
        report.add('import.malformed', { file, line: index + 1, column: 1 }, { text: line.trim().slice(0, 80) })
        broken = true
      } else (words.includes('nomatch') ? set.except : set.include).push(...prefixes)
    } else if (command !== 'COMMIT') {
      report.add('import.malformed', { file, line: index + 1, column: 1 }, { text: line.trim().slice(0, 80) })
      broken = true
    }
  }
  if (broken) return null
  return {
    kind: 'sets',
    file,
    sets: [...sets].map(([name, set]) => ({ name, members: membersOf(set, sets), place: { file, line: set.line, column: 1 } })), // prettier-ignore
  }
}

function membersOf(set: OpenSet, sets: ReadonlyMap<string, OpenSet>): IpSet['members'] {
  if (set.addresses) return nestsBelowException(set.include, set.except) ? null : { include: set.include, except: set.except } // prettier-ignore
  if (!set.list) return null
  const parts = set.members.map((name) => sets.get(name))
  // exceptions of one member do not hold for another: a union with any is no single set of ours
  if (parts.some((part) => part === undefined || !part.addresses || part.except.length > 0)) return null
  return { include: parts.flatMap((part) => part?.include ?? []), except: [] }
}
