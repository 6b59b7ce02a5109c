import { known, OperationError, unknown, type Observed } from '@hyperward/model'

import { decodeDomain, type DecodedDomain } from './decode.ts'
import type { LibvirtConnection, LibvirtDomain } from './libvirt-connection.ts'
import { errNoDomain, type DomainState } from './libvirt-constants.ts'

export interface ObservedDomain extends DecodedDomain {
  readonly state: DomainState
}

/**
 * All domains of this host, sorted by UUID. One that cannot be decoded is still told, with its problem, no tenant and no interfaces;
 * if libvirt itself does not answer, nothing is known.
 */
export async function observeDomains(connection: LibvirtConnection): Promise<Observed<readonly ObservedDomain[]>> {
  try {
    const listed = await connection.listDomains()
    const observed: ObservedDomain[] = []
    // libvirt works on a few calls of a client at a time; more would only wait
    const batch = 32
    for (let at = 0; at < listed.length; at += batch) {
      const part = await Promise.all(listed.slice(at, at + batch).map((domain) => observeDomain(connection, domain)))
      observed.push(...part.filter((one) => one !== null))
    }
    return known(observed.sort((a, b) => (a.uuid < b.uuid ? -1 : a.uuid > b.uuid ? 1 : 0)))
  } catch (error) {
    if (error instanceof OperationError) return unknown(`${error.code}: ${error.message}`)
    throw error
  }
}

/** null: it went away between the list and this look. */
async function observeDomain(connection: LibvirtConnection, domain: LibvirtDomain): Promise<ObservedDomain | null> {
  try {
    const [state, xml] = await Promise.all([connection.domainState(domain), connection.domainXml(domain)])
    const decoded = decodeDomain(xml)
    if (typeof decoded !== 'string') return { ...decoded, state }
    const message = `description of VM "${domain.name}": ${decoded}`
    const { uuid, name } = domain
    const problems = [{ code: 'libvirt.domain-malformed' as const, message }]
    return { uuid, name, state, tenant: null, labels: {}, os: null, interfaces: [], problems }
  } catch (error) {
    if (error instanceof OperationError && error.details['libvirtCode'] === errNoDomain) return null
    throw error
  }
}
