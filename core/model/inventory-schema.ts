/** The one schema of an inventory as JSON (API, store). The YAML document of docs/policy-language.md has a parser of its own, with lines and columns. */
import { z } from 'zod'

import { parseAddress } from './address.ts'
import { canonicalText } from './host-plan-schema.ts'
import { parseEndpointId, parseHostName, parseMac, parseTenantName, parseVmUuid } from './ids.ts'

export const labelsSchema = z.record(z.string().min(1).max(255), z.string().max(1024))

export const endpointSchema = z.strictObject({
  id: canonicalText(parseEndpointId, 'an endpoint id'),
  mac: canonicalText(parseMac, 'a MAC'),
  addresses: z.array(canonicalText(parseAddress, 'an address')),
  segment: z.string().min(1).max(255).exactOptional(),
})

export const vmSchema = z.strictObject({
  uuid: canonicalText(parseVmUuid, 'a UUID'),
  name: z.string().min(1).max(1024),
  host: canonicalText(parseHostName, 'a host name'),
  tenant: canonicalText(parseTenantName, 'a tenant name').nullable(),
  labels: labelsSchema,
  os: z.string().min(1).max(255).exactOptional(),
  endpoints: z.array(endpointSchema),
})

export const inventorySchema = z.strictObject({
  hosts: z.array(z.strictObject({ name: canonicalText(parseHostName, 'a host name') })),
  vms: z.array(vmSchema),
})
