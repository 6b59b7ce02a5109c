/**
 * Hyperward's block in a domain's metadata. All or nothing: one thing that is not as documented, and the block counts as unreadable, so
 * that a mistake never widens what a VM may do.
 *
 *     <metadata><hw:vm xmlns:hw="https://hyperward.org/xmlns/vm/1" tenant="acme">
 *       <hw:label key="app" value="shop"/>
 *       <hw:interface mac="52:54:00:00:00:01"><hw:address>10.20.0.11</hw:address></hw:interface>
 *     </hw:vm></metadata>
 */
import {
  isName,
  parseAddress,
  parseMac,
  parseTenantName,
  type Address,
  type Mac,
  type TenantName,
} from '@hyperward/model'

import type { XmlElement } from './xml-tree.ts'

export const metadataNamespace = 'https://hyperward.org/xmlns/vm/1'

export interface DecodedMetadata {
  readonly tenant: TenantName | null
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: ReadonlyMap<Mac, readonly Address[]>
}

const maxLabels = 64
const maxAddresses = 64
const maxLabelValue = 255

/** A string says what is wrong. No block at all is a VM without tenant: nothing is wrong with that. */
export function decodeMetadata(metadata: readonly XmlElement[]): DecodedMetadata | string {
  const blocks = metadata.flatMap((one) => one.children).filter((child) => child.namespace === metadataNamespace)
  const [block] = blocks
  if (block === undefined) return { tenant: null, labels: {}, addresses: new Map() }
  if (blocks.length > 1) return `${blocks.length} blocks of Hyperward, only one is allowed`
  if (block.name !== 'vm') return `unknown element "${block.name}"`
  const unknownAttribute = findUnknownAttribute(block, ['tenant'])
  if (unknownAttribute !== null) return unknownAttribute
  const tenant = parseTenantName(block.attributes.get('tenant') ?? '')
  if (tenant === null) return 'the attribute "tenant" is missing or not a name'
  const labels = new Map<string, string>()
  const addresses = new Map<Mac, readonly Address[]>()
  for (const child of block.children) {
    const problem =
      child.namespace !== metadataNamespace ? `unknown element "${child.name}"` : decodeChild(child, labels, addresses)
    if (problem !== null) return problem
  }
  // fromEntries defines own properties, so a label named __proto__ is a label
  return { tenant, labels: Object.fromEntries(labels), addresses }
}

function decodeChild(
  element: XmlElement,
  labels: Map<string, string>,
  addresses: Map<Mac, readonly Address[]>,
): string | null {
  switch (element.name) {
    case 'label':
      return decodeLabel(element, labels)
    case 'interface':
      return decodeInterfaceAddresses(element, addresses)
    default:
      return `unknown element "${element.name}"`
  }
}

function decodeLabel(element: XmlElement, labels: Map<string, string>): string | null {
  const unknownAttribute = findUnknownAttribute(element, ['key', 'value'])
  if (unknownAttribute !== null) return unknownAttribute
  const key = element.attributes.get('key') ?? ''
  const value = element.attributes.get('value')
  if (!isName(key)) return `"${key.slice(0, 80)}" is not a label key`
  if (value === undefined || value.length > maxLabelValue)
    return `label "${key}" has no value of at most ${maxLabelValue} characters`
  if (labels.has(key)) return `label "${key}" is given twice`
  if (labels.size >= maxLabels) return `more than ${maxLabels} labels`
  labels.set(key, value)
  return null
}

function decodeInterfaceAddresses(element: XmlElement, addresses: Map<Mac, readonly Address[]>): string | null {
  const unknownAttribute = findUnknownAttribute(element, ['mac'])
  if (unknownAttribute !== null) return unknownAttribute
  const macText = element.attributes.get('mac') ?? ''
  const mac = parseMac(macText)
  if (mac === null) return `"${macText.slice(0, 80)}" is not a unicast MAC`
  if (addresses.has(mac)) return `interface ${mac} is given twice`
  if (element.children.length > maxAddresses) return `interface ${mac} has more than ${maxAddresses} addresses`
  const own: Address[] = []
  for (const child of element.children) {
    if (child.namespace !== metadataNamespace || child.name !== 'address') return `unknown element "${child.name}"`
    const attribute = findUnknownAttribute(child, [])
    if (attribute !== null) return attribute
    const address = parseAddress(child.text)
    if (address === null) return `"${child.text.slice(0, 80)}" is not an address`
    if (own.includes(address)) return `address ${address} is given twice`
    own.push(address)
  }
  addresses.set(mac, own)
  return null
}

function findUnknownAttribute(element: XmlElement, known: readonly string[]): string | null {
  const name = [...element.attributes.keys()].find((one) => !known.includes(one))
  return name === undefined ? null : `unknown attribute "${name}" of "${element.name}"`
}
