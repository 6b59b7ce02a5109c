import { parseMac, parseVmUuid, type Address, type Mac, type TenantName, type VmUuid } from '@hyperward/model'

import { decodeMetadata } from './decode-metadata.ts'
import { decodeOs } from './decode-os.ts'
import { childrenNamed, parseXml, type XmlElement } from './xml-tree.ts'

/** What a domain's description tells of it. */
export interface DecodedDomain {
  readonly uuid: VmUuid
  readonly name: string
  /** null: no tenant claims it, or its metadata cannot be read. Then there are no labels and no addresses either. */
  readonly tenant: TenantName | null
  readonly labels: Readonly<Record<string, string>>
  /** Operating system by its libosinfo id: `debian 12`; null = not told. */
  readonly os: string | null
  readonly interfaces: readonly DomainInterface[]
  readonly problems: readonly DomainProblem[]
}

export interface DomainInterface {
  readonly mac: Mac
  /** The tap's name on the host (vnet7); null while the domain does not run. */
  readonly device: string | null
  /** libvirt's interface type: bridge, network, direct, ethernet, hostdev, user, … */
  readonly type: string
  /** The bridge or network it is attached to; null where the type has none. */
  readonly source: string | null
  /** Virtual network it is plugged into: the libvirt network, with its port group after a slash, or else the bridge; null where the type has neither. */
  readonly segment: string | null
  readonly model: string | null
  /** Declared in the metadata. */
  readonly addresses: readonly Address[]
}

export interface DomainProblem {
  readonly code: 'libvirt.domain-malformed' | 'libvirt.metadata-malformed'
  readonly message: string
}

/** Decodes libvirt's domain XML, from whoever it comes; pure. A string says why nothing could be read. */
export function decodeDomain(xml: string): DecodedDomain | string {
  const root = parseXml(xml)
  if (typeof root === 'string') return root
  if (root.name !== 'domain' || root.namespace !== '') return `the root element is ${root.name}, not domain`
  const name = childrenNamed(root, 'name')[0]?.text ?? ''
  const uuidText = childrenNamed(root, 'uuid')[0]?.text ?? ''
  const uuid = parseVmUuid(uuidText)
  if (name === '') return 'it has no name'
  if (uuid === null) return `"${uuidText}" is not a UUID`

  const problems: DomainProblem[] = []
  const metadataElements = childrenNamed(root, 'metadata')
  const metadata = decodeMetadata(metadataElements)
  if (typeof metadata === 'string') {
    problems.push({ code: 'libvirt.metadata-malformed', message: `metadata of VM "${name}": ${metadata}` })
  }
  const readable = typeof metadata === 'string' ? null : metadata
  const interfaces: DomainInterface[] = []
  for (const element of childrenNamed(root, 'devices').flatMap((devices) => childrenNamed(devices, 'interface'))) {
    const one = decodeInterface(element, readable?.addresses ?? new Map<Mac, readonly Address[]>())
    if (typeof one === 'string') {
      problems.push({
        code: 'libvirt.domain-malformed',
        message: `interface ${interfaces.length} of VM "${name}": ${one}`,
      })
    } else interfaces.push(one)
  }
  const os = decodeOs(metadataElements)
  return { uuid, name, tenant: readable?.tenant ?? null, labels: readable?.labels ?? {}, os, interfaces, problems }
}

function decodeInterface(
  element: XmlElement,
  addresses: ReadonlyMap<Mac, readonly Address[]>,
): DomainInterface | string {
  const macText = firstAttribute(element, 'mac', 'address') ?? ''
  const mac = parseMac(macText)
  if (mac === null) return `"${macText}" is not a unicast MAC`
  return {
    mac,
    device: firstAttribute(element, 'target', 'dev'),
    type: element.attributes.get('type') ?? '',
    source:
      firstAttribute(element, 'source', 'bridge') ??
      firstAttribute(element, 'source', 'network') ??
      firstAttribute(element, 'source', 'dev'),
    segment: decodeSegment(element),
    model: firstAttribute(element, 'model', 'type'),
    addresses: addresses.get(mac) ?? [],
  }
}

function decodeSegment(element: XmlElement): string | null {
  const network = firstAttribute(element, 'source', 'network')
  if (network === null) return firstAttribute(element, 'source', 'bridge')
  const portGroup = firstAttribute(element, 'source', 'portgroup')
  return portGroup === null ? network : `${network}/${portGroup}`
}

function firstAttribute(element: XmlElement, child: string, attribute: string): string | null {
  return childrenNamed(element, child)[0]?.attributes.get(attribute) ?? null
}
