/** `ipset save` text → sets of addresses. Sets of anything else are kept by name, without members: a rule that asks them is not exact. */
import type { Prefix } from '@hyperward/model'

import { nestsBelowException, parseMaskedPrefix, parsePrefixRange } from '../parse-prefixes.ts'
import type { Report } from '../report.ts'
import type { IpSet, IpsetFile } from './model.ts'
import { splitWords } from './split-words.ts'

interface OpenSet {
  readonly line: number
  /** False: of more than addresses, or not only those that are written. */
  addresses: boolean
  readonly list: boolean
  readonly include: Prefix[]
  readonly except: Prefix[]
  readonly members: string[]
}

export function parseIpset(file: string, lines: readonly string[], report: Report): IpsetFile | null {
  const sets = new Map<string, OpenSet>()
  let broken = false
  for (const [index, line] of lines.entries()) {
    const words = splitWords(line.trim()) ?? []
    const [command = '', name = '', value = '', ...options] = words
    if (line.trim() === '' || command.startsWith('#')) continue
    const set = sets.get(name)
    if (command === 'create' && set === undefined && value !== '') {
      // one written address stands for the network around it, or leaves by itself
      const plain = !options.some((option) => option === 'netmask' || option === 'bitmask' || option === 'timeout')
      const addresses = plain && /^hash:(?:ip|net)$|^bitmap:ip$/.test(value)
      sets.set(name, { line: index + 1, addresses, list: value === 'list:set', include: [], except: [], members: [] })
    } else if (command === 'add' && set !== undefined && value !== '') {
      if (set.list) set.members.push(value)
      if (!set.addresses) continue
      const prefix = parseMaskedPrefix(value)
      const prefixes = prefix === null ? parsePrefixRange(value) : [prefix]
      if (prefixes === null) {
        report.add('import.malformed', { file, line: index + 1, column: 1 }, { text: line.trim().slice(0, 80) })
        broken = true
      } else (isException(options) ? set.except : set.include).push(...prefixes)
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

/** The words after `comment` are somebody's text. */
function isException(options: readonly string[]): boolean {
  return options.some((option, at) => option === 'nomatch' && options[at - 1] !== 'comment')
}

function membersOf(set: OpenSet, sets: ReadonlyMap<string, OpenSet>): IpSet['members'] {
  if (set.addresses) return nestsBelowException(set.include, set.except) ? null : { include: set.include, except: set.except } // prettier-ignore
  if (!set.list) return null
  const parts = set.members.map((name) => sets.get(name))
  // exceptions of one member do not hold for another: a union with any is no single set of ours
  if (parts.some((part) => part === undefined || !part.addresses || part.except.length > 0)) return null
  return { include: parts.flatMap((part) => part?.include ?? []), except: [] }
}
