/** Network prefixes, and the selectors made of them. */
import { isPrefix, parsePrefix, type Prefix, type Selector } from '@hyperward/model'

import type { DocumentReader, Field, NamedField } from '../document/document-reader.ts'
import { prefixRemedy } from './prefix-remedy.ts'

export function parseNetworkSelector(
  reader: DocumentReader,
  networks: NamedField,
  except: NamedField | undefined,
  group: string,
): Extract<Selector, { kind: 'networks' }> {
  return {
    kind: 'networks',
    networks: parseNetworks(reader, networks, group),
    except: except === undefined ? [] : parseNetworks(reader, except, group),
  }
}

/** Sorted, each once. `group` is what an empty list is reported as. */
function parseNetworks(reader: DocumentReader, field: Field, group: string): readonly Prefix[] {
  const items = reader.listOrOne(field)
  if (items.length === 0 && reader.isList(field))
    reader.report.add('group.empty-selector', field.path, field.place, { group })
  const networks = new Set<Prefix>()
  for (const item of items) {
    const text = reader.text(item)
    const prefix = text === null ? null : parseNetwork(reader, item, text)
    if (prefix !== null) networks.add(prefix)
  }
  return [...networks].sort()
}

export function parseNetwork(reader: DocumentReader, field: Field, text: string): Prefix | null {
  const prefix = parsePrefix(text)
  if (isPrefix(prefix)) return prefix
  if (prefix === 'host-bits')
    reader.report.add('address.host-bits', field.path, field.place, { text, remedy: prefixRemedy(text) })
  else {
    const params = { text, expected: 'prefix', example: '203.0.113.0/24, 2001:db8::/32' } as const
    reader.report.add('address.malformed', field.path, field.place, params)
  }
  return null
}

/** Meant as an address or prefix, right or wrong: no name of a group looks so. */
export function looksLikeNetwork(text: string): boolean {
  return text.includes(':') || /^\d{1,4}(?:\.\d{1,4}){3}(?:\/.*)?$/.test(text) || /^[\d.]+\/\d+$/.test(text)
}
