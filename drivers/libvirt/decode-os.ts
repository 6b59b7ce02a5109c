/**
 * The operating system that virt-install, virt-manager and others note in a domain: the id of libosinfo's database, a URL whose path names family and version.
 *     <libosinfo:libosinfo xmlns:libosinfo="http://libosinfo.org/xmlns/libvirt/domain/1.0">
 *       <libosinfo:os id="http://debian.org/debian/12"/></libosinfo:libosinfo>
 */
import type { XmlElement } from './xml-tree.ts'

const namespace = 'http://libosinfo.org/xmlns/libvirt/domain/1.0'
const maxLength = 255

/** `debian 12`, `win 2k22`; null when it is not told, or in a form that is not libosinfo's. */
export function decodeOs(metadata: readonly XmlElement[]): string | null {
  const id = metadata
    .flatMap((one) => one.children)
    .filter((one) => one.namespace === namespace && one.name === 'libosinfo')
    .flatMap((one) => one.children)
    .find((one) => one.namespace === namespace && one.name === 'os')
    ?.attributes.get('id')
  const path = /^https?:\/\/[^/\s]+\/([\w.~+/-]+)$/.exec(id ?? '')?.[1]
  if (path === undefined || path.length > maxLength) return null
  const words = path.split('/').filter((word) => word !== '')
  return words.length === 0 ? null : words.join(' ')
}
