/** Documents → what each owner wrote, section by section, whichever file it stands in. */
import { parseTenantName, type TenantName } from '@hyperward/model'

import { type DocumentReader, type Field, type Fields, type NamedField, readName } from '../document/document-reader.ts'
import { policyDocumentFields, providerFields, tenantFields } from '../language/fields.ts'
import { readEnvelope } from './read-envelope.ts'

export type OwnerSection = (typeof providerFields)[number] | (typeof tenantFields)[number]

export interface Owner {
  /** Null = the provider. */
  readonly tenant: TenantName | null
  /** One field a file that has the section, in the order of the files. */
  readonly sections: Partial<Readonly<Record<OwnerSection, readonly NamedField[]>>>
}

interface OpenOwner {
  readonly tenant: TenantName | null
  readonly sections: Partial<Record<OwnerSection, NamedField[]>>
}

/** The provider first, then the tenants by name. Null when a document is no policy at all. */
export function readOwners(reader: DocumentReader, roots: readonly Field[]): readonly Owner[] | null {
  const provider: OpenOwner = { tenant: null, sections: {} }
  const tenants = new Map<TenantName, OpenOwner>()
  let complete = true
  for (const root of roots) {
    const fields = readEnvelope(reader, 'Policy', policyDocumentFields, root)
    if (fields === null) complete = false
    const providerField = fields?.get('provider')
    if (providerField !== undefined) collect(provider, providerFields, reader.record(providerField, providerFields))
    const tenantsField = fields?.get('tenants')
    for (const [key, field] of (tenantsField === undefined ? null : reader.dictionary(tenantsField)) ?? []) {
      const text = readName(reader.report, key, 'tenant', field.path, field.keyPlace)
      const name = text === null ? null : parseTenantName(text)
      const record = reader.record(field, tenantFields)
      if (name === null) continue
      const tenant = tenants.get(name) ?? { tenant: name, sections: {} }
      tenants.set(name, tenant)
      collect(tenant, tenantFields, record)
    }
  }
  const sorted = [...tenants].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, tenant]) => tenant)
  return complete ? [provider, ...sorted] : null
}

function collect(owner: OpenOwner, sections: readonly OwnerSection[], fields: Fields | null): void {
  for (const section of sections) {
    const field = fields?.get(section)
    if (field !== undefined) (owner.sections[section] ??= []).push(field)
  }
}
