/**
 * An agent's reports → rows. Identifiers become canonical here; what is malformed inside a VM's metadata (a user may write anything there) is left out and
 * told, so that one bad address never keeps a host's whole report out. Left out means: not its own, so it passes nothing.
 */
import { OperationError, parseAddress, parseEndpointId, parseMac, parseVmUuid } from '@hyperward/model'
import { reportLimits, type ReportedDatapathEvent, type ReportedVm } from '@hyperward/protocol'
import type { NewFlow, ReportedVmRow, StoredEndpoint } from '@hyperward/store'

import type { InventoryView } from '../services/inventory-view.ts'
import { toldAtOnce } from '../services/recorder.ts'

export function toReportedVms(reported: readonly ReportedVm[]): {
  readonly vms: readonly ReportedVmRow[]
  readonly problems: readonly string[]
  /** Of those, what is beyond the limits. */
  readonly clipped: readonly string[]
} {
  const problems: string[] = []
  const clipped: string[] = []
  let addressesLeft: number = reportLimits.addressesPerHost
  let beyond = 0
  const vms = new Map<string, ReportedVmRow>()
  for (const vm of reported) {
    const uuid = parseVmUuid(vm.uuid)
    if (uuid === null || vms.has(uuid)) {
      problems.push(
        `a VM was left out: its UUID ${uuid === null ? 'is malformed' : 'is there twice'}: ${quote(vm.uuid)}`,
      )
      continue
    }
    if (vms.size >= reportLimits.vmsPerHost) {
      beyond += 1
      continue
    }
    const labels = Object.entries(vm.labels)
    if (labels.length > reportLimits.labelsPerVm) {
      clipped.push(`VM ${uuid} has ${labels.length} labels; the first ${reportLimits.labelsPerVm} count`)
    }
    if (vm.endpoints.length > reportLimits.endpointsPerVm) {
      const most = reportLimits.endpointsPerVm
      clipped.push(`VM ${uuid} has ${vm.endpoints.length} interfaces; those after the first ${most} stay closed`)
    }
    const endpoints: StoredEndpoint[] = []
    for (const endpoint of vm.endpoints.slice(0, reportLimits.endpointsPerVm)) {
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
      const most = Math.min(reportLimits.addressesPerEndpoint, addressesLeft)
      const taken = [...addresses].slice(0, most)
      addressesLeft -= taken.length
      if (taken.length < addresses.size) {
        const whose = most < reportLimits.addressesPerEndpoint ? 'the host has too many' : 'it has too many'
        clipped.push(`VM ${uuid}, ${mac}: ${taken.length} of ${addresses.size} addresses count, ${whose}`)
      }
      const segment = readText(endpoint.segment)
      endpoints.push({ mac, addresses: taken, ...(segment === null ? {} : { segment }) })
    }
    const kept = Object.fromEntries(labels.slice(0, reportLimits.labelsPerVm))
    vms.set(uuid, { uuid, name: clean(vm.name), tenant: vm.tenant, labels: kept, os: readText(vm.os), endpoints })
  }
  if (beyond > 0) clipped.unshift(`${beyond} VMs beyond the ${reportLimits.vmsPerHost} of a host were left out`)
  // one fat VM must not hide what is wrong with others, nor fill the events
  const said = [...clipped.slice(0, toldAtOnce), ...problems].slice(0, 100)
  return { vms: [...vms.values()], problems: said, clipped: clipped.slice(0, toldAtOnce) }
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
  if (event.kind === 'monitor') {
    const { kind, action, packets, bytes } = event
    return { ...common, kind, action, reason: null, source_mac: null, packets, bytes }
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

/** What is not told, or nothing. */
function readText(text: string | undefined): string | null {
  const kept = clean(text ?? '')
  return kept === '' ? null : kept
}

/** PostgreSQL's text holds no NUL. */
function clean(text: string): string {
  return text.replaceAll('\0', '')
}
