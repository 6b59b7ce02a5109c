/** The XML of `virsh nwfilter-dumpxml`, one filter or several in a row → filters. No DOCTYPE, so no entities but XML's own five. */
import type { SourcePlace } from '@hyperward/model'
import { XMLParser, XMLValidator } from 'fast-xml-parser'

import type { SourceText } from '../decode-text.ts'
import type { Report } from '../report.ts'
import type { NwFilter, NwRef, NwRule } from './model.ts'

export const xmlMaxDepth = 16

const actions: readonly NwRule['action'][] = ['accept', 'drop', 'reject', 'return', 'continue']
const directions: readonly NwRule['direction'][] = ['in', 'out', 'inout']

/** Priorities of the chains that have one when the filter names none. */
const chainPriorities: Readonly<Record<string, number>> = {
  root: 0,
  stp: -810,
  mac: -800,
  vlan: -750,
  ipv4: -700,
  ipv6: -600,
  arp: -500,
  rarp: -400,
}

/** An element as the library gives it with `preserveOrder`. */
interface Element {
  readonly name: string
  readonly attributes: Readonly<Record<string, string>>
  readonly children: readonly Element[]
  readonly at: number
}

/** Null when it is no such file, or anything in it cannot be read; the report says why. */
export function parseNwfilter({ file, text }: SourceText, report: Report): readonly NwFilter[] | null {
  const start: SourcePlace = { file, line: 1, column: 1 }
  if (/<!DOCTYPE|<!ENTITY/i.test(text)) {
    report.add('import.doctype', start, {})
    return null
  }
  if (isTooDeep(text)) {
    report.add('import.too-deep', start, { limit: xmlMaxDepth })
    return null
  }
  // several documents in a row are one list of filters
  const body = text.replaceAll(/<\?xml[^<>]*\?>/g, (head) => ' '.repeat(head.length))
  const wrapped = `<filters>${body}</filters>`
  const valid = XMLValidator.validate(wrapped)
  const roots = valid === true ? readElements(wrapped) : []
  if (roots.length === 0 || roots.some((root) => root.name !== 'filter')) {
    const line = valid === true ? 1 : valid.err.line
    report.add('import.wrong-kind', { file, line, column: 1 }, { expected: 'import-kind-nwfilter' })
    return null
  }
  const placeOf = indexLines(body, file)
  const filters = roots.map((root) => toFilter(root, placeOf, report))
  return filters.every((filter) => filter !== null) ? filters : null
}

/** Open tags less closing ones, counted before anything recursive sees them. */
function isTooDeep(text: string): boolean {
  let depth = 0
  for (let at = text.indexOf('<'); at >= 0;) {
    const end = text.indexOf('>', at)
    if (end < 0) return false
    const next = text[at + 1]
    if (next === '/') depth -= 1
    else if (next !== '!' && next !== '?' && text[end - 1] !== '/') depth += 1
    if (depth > xmlMaxDepth) return true
    at = text.indexOf('<', end)
  }
  return false
}

function readElements(text: string): readonly Element[] {
  const parser = new XMLParser({
    preserveOrder: true,
    ignoreAttributes: false,
    attributeNamePrefix: '',
    parseTagValue: false,
    parseAttributeValue: false,
    captureMetaData: true,
    processEntities: true,
    ignoreDeclaration: true,
    ignorePiTags: true,
  })
  // as: the library's form for preserveOrder: a list of {name: children, ':@': attributes}
  const nodes = parser.parse(text) as readonly Record<string | symbol, unknown>[]
  return toElements(nodes)[0]?.children ?? []
}

const metaData = XMLParser.getMetaDataSymbol() as unknown as symbol // as: typed as a wrapper object

function toElements(nodes: readonly Record<string | symbol, unknown>[]): readonly Element[] {
  return nodes.flatMap((node) => {
    const name = Object.keys(node).find((key) => key !== ':@')
    if (name === undefined || name === '#text') return []
    // as: the library's form, see readElements
    const attributes = (node[':@'] ?? {}) as Readonly<Record<string, string>>
    const children = node[name] as readonly Record<string | symbol, unknown>[]
    const meta = node[metaData] as { readonly startIndex?: number } | undefined
    return [{ name, attributes, children: toElements(children), at: (meta?.startIndex ?? 0) - '<filters>'.length }]
  })
}

function toFilter(root: Element, placeOf: (at: number) => SourcePlace, report: Report): NwFilter | null {
  const place = placeOf(root.at)
  const { name = '', chain = 'root', priority } = root.attributes
  const fail = (at: number, text: string): null => {
    report.add('import.malformed', placeOf(at), { text: text.slice(0, 80) })
    return null
  }
  const base = Object.keys(chainPriorities).find((known) => chain === known || chain.startsWith(`${known}-`))
  const chainPriority = priority === undefined ? (chainPriorities[base ?? ''] ?? 0) : parseNumber(priority)
  if (name === '' || base === undefined || chainPriority === null) return fail(root.at, `filter ${name} chain ${chain}`)
  const items: (NwRule | NwRef)[] = []
  for (const child of root.children) {
    if (child.name === 'uuid') continue
    const found = child.name === 'filterref' ? [toRef(child, placeOf)] : child.name === 'rule' ? toRules(child, placeOf) : null // prettier-ignore
    if (found === null) return fail(child.at, `<${child.name} ${JSON.stringify(child.attributes)}>`)
    items.push(...found)
  }
  return { name, chain, chainPriority, items, place }
}

function toRef({ attributes, children, at }: Element, placeOf: (at: number) => SourcePlace): NwRef {
  const parameters = children
    .filter((child) => child.name === 'parameter')
    .map((child) => [child.attributes['name'] ?? '', child.attributes['value'] ?? ''] as const)
  return { kind: 'ref', filter: attributes['filter'] ?? '', parameters, place: placeOf(at) }
}

/** A rule without a protocol holds for every frame; with several, for each of them. */
function toRules(
  { attributes, children, at }: Element,
  placeOf: (at: number) => SourcePlace,
): readonly NwRule[] | null {
  const action = actions.find((known) => known === attributes['action'])
  const direction = directions.find((known) => known === attributes['direction'])
  const priority = attributes['priority'] === undefined ? 500 : parseNumber(attributes['priority'])
  if (action === undefined || direction === undefined || priority === null) return null
  const statematch = !/^(?:0|false)$/i.test(attributes['statematch'] ?? 'true')
  const rule = { kind: 'rule', action, direction, priority, statematch, place: placeOf(at) } as const
  if (children.length === 0) return [{ ...rule, protocol: null, attributes: {} }]
  return children.map((child) => ({ ...rule, protocol: child.name, attributes: child.attributes }))
}

function parseNumber(text: string): number | null {
  return /^-?\d{1,5}$/.test(text) ? Number(text) : null
}

function indexLines(text: string, file: string): (at: number) => SourcePlace {
  const starts = [0]
  for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  return (at) => {
    // the last line that begins at or before it
    let [line, after] = [0, starts.length]
    while (after - line > 1) {
      const middle = (line + after) >> 1
      if ((starts[middle] ?? at) <= at) line = middle
      else after = middle
    }
    return { file, line: line + 1, column: 1 }
  }
}
