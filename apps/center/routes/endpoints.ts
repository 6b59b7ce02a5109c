import { isName, OperationError, parseAddress, parseMac, parseVmUuid } from '@hyperward/model'
import {
  endpointsSchema,
  patchVmSchema,
  vmSchema,
  type ApiEndpoint,
  type ApiVm,
  type PatchVm,
} from '@hyperward/protocol'
import {
  readEndpointStatus,
  readHosts,
  writeOverride,
  type EndpointStatusRow,
  type HostRow,
  type OverrideRow,
} from '@hyperward/store'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'

import type { InventoryView } from '../services/inventory-view.ts'
import { createSerial } from '../services/serial.ts'
import type { Services } from '../services/services.ts'
import { acts, byAdministrator, errorAnswers, typed } from './route.ts'

const vmParams = z.strictObject({ uuid: z.string().max(64) })

export function addEndpointRoutes(app: FastifyInstance, services: Services): void {
  const { store, inventory, publisher, clock } = services
  // two patches of one VM are merged one after the other
  const serial = createSerial()

  typed(app).get(
    '/v1/endpoints',
    {
      config: acts('endpoint:read'),
      schema: { security: byAdministrator, response: { 200: endpointsSchema, ...errorAnswers } },
    },
    async () => ({ endpoints: toApiEndpoints(inventory, await readEndpointStatus(store), await readHosts(store)) }),
  )

  typed(app).get(
    '/v1/vms/:uuid',
    {
      config: acts('endpoint:read'),
      schema: { security: byAdministrator, params: vmParams, response: { 200: vmSchema, ...errorAnswers } },
    },
    async (request) => {
      const uuid = readUuid(request.params.uuid)
      if (inventory.vm(uuid) === null && inventory.override(uuid) === null) {
        throw new OperationError('api.not-found', `no host reports a VM ${uuid}`)
      }
      return toApiVm(uuid, inventory)
    },
  )

  typed(app).patch(
    '/v1/vms/:uuid',
    {
      config: acts('vm:write'),
      schema: {
        security: byAdministrator,
        params: vmParams,
        body: patchVmSchema,
        response: { 200: vmSchema, ...errorAnswers },
      },
    },
    async (request) => {
      const uuid = readUuid(request.params.uuid)
      return serial(async () => {
        const row = toOverride(uuid, inventory.override(uuid), request.body)
        await writeOverride(store, row, clock())
        inventory.setOverride(row)
        publisher.onInventoryChange()
        return toApiVm(uuid, inventory)
      })
    },
  )
}

/** Absent = as it was; null = the metadata counts again. */
function toOverride(uuid: string, before: OverrideRow | null, patch: PatchVm): OverrideRow {
  if (typeof patch.tenant === 'string' && !isName(patch.tenant)) {
    throw new OperationError('api.bad-request', 'tenant: not a tenant’s name')
  }
  const labels: Record<string, string> = patch.labels === null ? {} : { ...before?.labels }
  for (const [key, value] of Object.entries(patch.labels ?? {})) {
    if (value === null) delete labels[key]
    else labels[key] = value
  }
  const addresses: Record<string, readonly string[]> = patch.addresses === null ? {} : { ...before?.addresses }
  for (const [text, list] of Object.entries(patch.addresses ?? {})) {
    const mac = parseMac(text)
    if (mac === null) throw new OperationError('api.bad-request', `addresses.${text}: not a MAC address of a VM`)
    if (list === null) delete addresses[mac]
    else addresses[mac] = list.map((each) => readAddress(each, mac))
  }
  const kept = <T>(said: T | null | undefined, was: T | null | undefined): T | null =>
    said === undefined ? (was ?? null) : said
  return { uuid, tenant: kept(patch.tenant, before?.tenant), labels, addresses, os: kept(patch.os, before?.os) }
}

function readAddress(text: string, mac: string): string {
  const address = parseAddress(text)
  if (address !== null) return address
  throw new OperationError('api.bad-request', `addresses.${mac}: ${JSON.stringify(text)} is not an address`)
}

function readUuid(text: string): string {
  const uuid = parseVmUuid(text)
  if (uuid === null) throw new OperationError('api.bad-request', 'uuid: not a UUID')
  return uuid
}

function toApiVm(uuid: string, inventory: InventoryView): ApiVm {
  const found = inventory.vm(uuid)?.vm
  const override = inventory.override(uuid)
  const addresses: Record<string, string[]> = {}
  for (const [mac, list] of Object.entries(override?.addresses ?? {})) addresses[mac] = [...list]
  return {
    uuid,
    name: found?.name ?? null,
    host: found?.host ?? null,
    tenant: found?.tenant ?? override?.tenant ?? null,
    labels: { ...(found?.labels ?? override?.labels) },
    os: found?.os ?? override?.os ?? null,
    endpoints: (found?.endpoints ?? []).map((each) => ({
      mac: each.mac,
      addresses: [...each.addresses],
      segment: each.segment ?? null,
    })),
    override: {
      tenant: override?.tenant ?? null,
      labels: { ...override?.labels },
      addresses,
      os: override?.os ?? null,
    },
  }
}

/** Inventory beside what became of it: the state is the word of the host that has the VM, of no other. */
export function toApiEndpoints(
  inventory: InventoryView,
  statuses: readonly EndpointStatusRow[],
  hosts: readonly HostRow[],
): ApiEndpoint[] {
  const status = new Map(statuses.map((row) => [`${row.host} ${row.endpoint}`, row]))
  const revisions = new Map(hosts.map((row) => [row.name, row.held_revision]))
  return inventory.vms().flatMap(({ vm, seenAt }) =>
    vm.endpoints.map((endpoint) => {
      const row = status.get(`${vm.host} ${endpoint.id}`)
      return {
        id: endpoint.id,
        vm: { uuid: vm.uuid, name: vm.name },
        host: vm.host,
        mac: endpoint.mac,
        addresses: [...endpoint.addresses],
        tenant: vm.tenant,
        labels: { ...vm.labels },
        os: vm.os ?? null,
        segment: endpoint.segment ?? null,
        device: row?.device ?? null,
        state: row?.state ?? ('unreported' as const),
        reason: row?.reason ?? null,
        revision: revisions.get(vm.host) ?? null,
        seenAt: seenAt.toISOString(),
      }
    }),
  )
}
