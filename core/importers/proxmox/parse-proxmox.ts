/** `cluster.fw`, `host.fw` or `NNN.fw` → sections. The file's name tells whose it is, as on a Proxmox VE node. */
import type { SourcePlace } from '@hyperward/model'

import type { SourceText } from '../decode-text.ts'
import type { Report } from '../report.ts'
import type { PveFile, PveLine, PveOption, PveRule, PveSet } from './model.ts'

const optionNames: Readonly<Record<string, PveOption>> = {
  i: 'iface',
  iface: 'iface',
  source: 'source',
  dest: 'dest',
  p: 'proto',
  proto: 'proto',
  dport: 'dport',
  sport: 'sport',
  log: 'log',
  'icmp-type': 'icmp-type',
}

interface Section {
  readonly kind: 'options' | 'aliases' | 'rules' | 'group' | 'ipset'
  readonly name: string
}

/** Null when it is no such file, or a line of it cannot be read; the report says why. */
export function parseProxmox({ file, text }: SourceText, report: Report): PveFile | null {
  const role = toRole(file)
  const lines = text.split(/\r\n|\n|\r/)
  if (role === null || !lines.some((line) => /^\s*\[(?:options|aliases|rules|group\s|ipset\s)/i.test(line))) {
    report.add('import.wrong-kind', { file, line: 1, column: 1 }, { expected: 'import-kind-proxmox' })
    return null
  }
  const options = new Map<string, { readonly value: string; readonly place: SourcePlace }>()
  const aliases = new Map<string, string>()
  const sets = new Map<string, PveSet & { readonly entries: PveSet['entries'][number][] }>()
  const groups = new Map<string, PveLine[]>()
  const rules: PveLine[] = []
  let section: Section | null = null
  let broken = false
  for (const [index, line] of lines.entries()) {
    const place = { file, line: index + 1, column: 1 }
    const hash = line.indexOf('#')
    const body = (hash < 0 ? line : line.slice(0, hash)).trim()
    const comment = hash < 0 ? '' : line.slice(hash + 1).trim()
    if (body === '') continue
    const malformed = (): void => {
      report.add('import.malformed', place, { text: body.slice(0, 80) })
      broken = true
    }
    if (body.startsWith('[')) {
      section = parseSection(body)
      if (section === null) malformed()
      else if (section.kind === 'group' && !groups.has(section.name)) groups.set(section.name, [])
      else if (section.kind === 'ipset' && !sets.has(section.name)) sets.set(section.name, { entries: [], place })
      continue
    }
    if (section === null) {
      malformed()
      continue
    }
    switch (section.kind) {
      case 'options': {
        const match = /^([a-z0-9_]+)\s*:\s*(.*)$/i.exec(body)
        if (match === null) malformed()
        else options.set((match[1] ?? '').toLowerCase(), { value: (match[2] ?? '').trim(), place })
        break
      }
      case 'aliases': {
        const [name = '', value = '', ...more] = body.split(/\s+/)
        if (value === '' || more.length > 0) malformed()
        else aliases.set(name.toLowerCase(), value)
        break
      }
      case 'ipset': {
        const match = /^(!)?\s*(\S+)$/.exec(body)
        if (match === null) malformed()
        else sets.get(section.name)?.entries.push({ text: match[2] ?? '', nomatch: match[1] !== undefined, place })
        break
      }
      case 'group':
      case 'rules': {
        const parsed = parseLine(body, comment, place)
        if (parsed === 'malformed') malformed()
        else if (parsed === 'disabled') report.add('import.disabled', place, {})
        else (section.kind === 'rules' ? rules : groups.get(section.name))?.push(parsed)
        break
      }
      default:
        section.kind satisfies never
    }
  }
  return broken ? null : { role, file, options, aliases, sets, groups, rules }
}

function toRole(file: string): PveFile['role'] | null {
  const base = file.replace(/^.*\//, '')
  if (base === 'cluster.fw' || base === 'host.fw') return { kind: base === 'cluster.fw' ? 'cluster' : 'host' }
  const vmid = /^(\d{1,9})\.fw$/.exec(base)?.[1]
  return vmid === undefined ? null : { kind: 'guest', vmid }
}

function parseSection(text: string): Section | null {
  const match = /^\[\s*(options|aliases|rules|group|ipset)(?:\s+(\S+))?\s*\]$/i.exec(text)
  if (match === null) return null
  const name = (match[2] ?? '').toLowerCase()
  // as: one of the alternatives above
  const kind = (match[1] ?? '').toLowerCase() as Section['kind']
  return (kind === 'group' || kind === 'ipset') === (name !== '') ? { kind, name } : null
}

function parseLine(body: string, comment: string, place: SourcePlace): PveLine | 'malformed' | 'disabled' {
  if (body.startsWith('|')) return 'disabled'
  const [direction = '', action = '', ...words] = body.split(/\s+/)
  const options = parseOptions(words)
  if (options === null) return 'malformed'
  if (direction.toUpperCase() === 'GROUP') {
    const { iface } = options
    if (action === '') return 'malformed'
    return { kind: 'call', call: { group: action.toLowerCase(), ...(iface === undefined ? {} : { iface }), place } }
  }
  const match = /^(?:([A-Za-z0-9/]+)\()?(ACCEPT|DROP|REJECT)(\))?$/i.exec(action)
  const upper = direction.toUpperCase()
  if (match === null || (match[1] === undefined) !== (match[3] === undefined)) return 'malformed'
  if (upper !== 'IN' && upper !== 'OUT' && upper !== 'FORWARD') return 'malformed'
  const rule: PveRule = {
    direction: upper,
    macro: match[1] ?? null,
    action: (match[2] ?? '').toUpperCase() as PveRule['action'], // as: one of the alternatives above
    options,
    ...(comment === '' ? {} : { comment }),
    place,
  }
  return { kind: 'rule', rule }
}

/** Lists may have blanks after their commas. */
function parseOptions(words: readonly string[]): PveRule['options'] | null {
  const options: Partial<Record<PveOption, string>> = {}
  let last: PveOption | null = null
  for (const word of words) {
    const name = /^--?([a-z-]+)$/i.exec(word)?.[1]?.toLowerCase()
    if (name !== undefined) {
      last = Object.hasOwn(optionNames, name) ? (optionNames[name] ?? null) : null
      if (last === null || options[last] !== undefined) return null
      options[last] = ''
    } else if (last === null) return null
    else {
      const former: string = options[last] ?? ''
      if (former !== '' && !former.endsWith(',') && !word.startsWith(',')) return null
      options[last] = former + word
    }
  }
  return Object.values(options).every((value) => value !== '') ? options : null
}
