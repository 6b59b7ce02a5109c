/**
 * An agent's reports → rows. Identifiers become canonical here; what is malformed inside a VM's metadata (a user may write anything there) is left out and
 * told, so that one bad address never keeps a host's whole report out. Left out means: not its own, so it passes nothing.
 */
import { OperationError, parseAddress, parseEndpointId, parseMac, parseVmUuid } from '@hyperward/model'
import type { ReportedDatapathEvent, ReportedVm } from '@hyperward/protocol'
import type { NewFlow, ReportedVmRow, StoredEndpoint } from '@hyperward/store'

import type { InventoryView } from '../services/inventory-view.ts'

export function toReportedVms(reported: readonly ReportedVm[]): {
  readonly vms: readonly ReportedVmRow[]
  readonly problems: readonly string[]
} {
  const problems: string[] = []
  const vms = new Map<string, ReportedVmRow>()
  for (const vm of reported) {
    const uuid = parseVmUuid(vm.uuid)
    if (uuid === null || vms.has(uuid)) {
      problems.push(
        `a VM was left out: its UUID ${uuid === null ? 'is malformed' : 'is there twice'}: ${quote(vm.uuid)}`,
      )
      continue
    }
    const endpoints: StoredEndpoint[] = []
    for (const endpoint of vm.endpoints) {
      const mac = parseMac(endpoint.mac)
      if (mac === null || endpoints.some((each) => each.mac === mac)) {
        problems.push(`VM ${uuid}: an endpoint was left out: MAC ${quote(endpoint.mac)} is malformed or there twice`)
        continue
      }
      const addresses = new Set<string>()
      for (const text of endpoint.addresses) {
        const address = parseAddress(text)
        if (address === null) problems.push(`VM ${uuid}: address ${quote(text)} was left out: it is malformed`)
        else addresses.add(address)
      }
      endpoints.push({ mac, addresses: [...addresses] })
    }
    vms.set(uuid, { uuid, name: clean(vm.name), tenant: vm.tenant, labels: vm.labels, endpoints })
  }
  return { vms: [...vms.values()], problems: problems.slice(0, 100) }
}

/** The VM and tenant are the center's own words for the endpoint, and only if the endpoint is this host's. */
export function toNewFlow(event: ReportedDatapathEvent, host: string, inventory: InventoryView): NewFlow {
  const endpoint = parseEndpointId(event.endpoint)
  if (endpoint === null) throw new OperationError('agent.bad-message', 'an event names a malformed endpoint')
  const found = inventory.vm(endpoint.slice(0, endpoint.indexOf('/')))?.vm
  const vm = found?.host === host ? found : undefined
  const tuple = event.tuple
  const common = {
    at: toStoredTime(event.at),
    endpoint,
    vm_name: vm?.name ?? null,
    tenant: vm?.tenant ?? null,
    direction: event.direction,
    rule: event.rule,
    source: tuple === null ? null : toStoredAddress(tuple.source),
    destination: tuple === null ? null : toStoredAddress(tuple.destination),
    protocol: tuple?.protocol ?? null,
    source_port: tuple?.sourcePort ?? null,
    destination_port: tuple?.destinationPort ?? null,
    suppressed: event.suppressed,
  }
  if (event.kind === 'drop') {
    const { kind, action, reason, sourceMac } = event
    return { ...common, kind, action, reason, source_mac: sourceMac, packets: 1, bytes: 0 }
  }
  const { kind, end, packets, bytes } = event
  return {
    ...common,
    kind,
    action: 'allow',
    reason: end,
    source_mac: null,
    packets: Math.round(packets),
    bytes: Math.round(bytes),
  }
}

export function toStoredTime(text: string): string {
  const time = new Date(text)
  if (Number.isNaN(time.getTime())) throw new OperationError('agent.bad-message', 'an event has a malformed time')
  return time.toISOString()
}

function toStoredAddress(text: string): string {
  const address = parseAddress(text)
  if (address === null) throw new OperationError('agent.bad-message', 'an event has a malformed address')
  return address
}

function quote(text: string): string {
  return JSON.stringify(clean(text).slice(0, 80))
}

/** PostgreSQL's text holds no NUL. */
function clean(text: string): string {
  return text.replaceAll('\0', '')
}
