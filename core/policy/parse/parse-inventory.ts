/** An inventory document (docs/policy-language.md) → Inventory, for offline use: what agents report to a center otherwise. */
import { nearest } from '@hyperward/catalogue'
import type { Address, Endpoint, Host, HostName, Inventory, Parsed, TenantName, Vm, VmUuid } from '@hyperward/model'
import { parseAddress, parseHostName, parseMac, parseTenantName, parseVmUuid, toEndpointId } from '@hyperward/model'

import { composeDocument } from '../document/compose-document.ts'
import {
  createDocumentReader,
  type DocumentReader,
  type Field,
  type NamedField,
  readName,
} from '../document/document-reader.ts'
import { createReport, sortDiagnostics } from '../document/report.ts'
import { documentVersion, readEnvelope } from './read-envelope.ts'

/** Who has what already, across the whole document. */
interface Seen {
  readonly hosts: ReadonlySet<HostName>
  readonly vms: Set<VmUuid>
  readonly macs: Map<string, string>
  readonly addresses: Map<Address, string>
}

export function parseInventory(text: string, file: string): Parsed<Inventory> {
  const report = createReport()
  const composed = composeDocument(text, file, documentVersion, report)
  if (composed === null) return { ok: false, diagnostics: sortDiagnostics(report.diagnostics) }
  const reader = createDocumentReader(composed.root, composed.placeAt, report)
  const inventory = readInventory(reader)
  const diagnostics = sortDiagnostics(report.diagnostics)
  if (inventory === null || !report.usable()) return { ok: false, diagnostics }
  return { ok: true, value: inventory, warnings: diagnostics }
}

function readInventory(reader: DocumentReader): Inventory | null {
  const fields = readEnvelope(reader, 'Inventory', ['hosts', 'vms'])
  if (fields === null) return null
  const hosts = readHosts(reader, fields.get('hosts'))
  const seen: Seen = {
    hosts: new Set(hosts.map((host) => host.name)),
    vms: new Set(),
    macs: new Map(),
    addresses: new Map(),
  }
  const vmsField = fields.get('vms')
  const items = vmsField === undefined ? [] : (reader.list(vmsField) ?? [])
  const vms = items.map((item) => readVm(reader, item, seen)).filter((vm) => vm !== null)
  return { hosts, vms }
}

function readHosts(reader: DocumentReader, field: NamedField | undefined): readonly Host[] {
  const names = new Set<HostName>()
  for (const item of field === undefined ? [] : (reader.list(field) ?? [])) {
    const text = reader.text(item)
    if (text === null) continue
    const name = parseHostName(text)
    if (name === null) reader.report.add('host.malformed', item.path, item.place, { text })
    else if (names.has(name)) reader.report.add('inventory.duplicate-host', item.path, item.place, { host: name })
    else names.add(name)
  }
  return [...names].map((name) => ({ name }))
}

function readVm(reader: DocumentReader, field: Field, seen: Seen): Vm | null {
  const fields = reader.record(field, ['uuid', 'name', 'host', 'tenant', 'os', 'labels', 'endpoints'])
  if (fields === null) return null
  const uuid = readUuid(
    reader,
    reader.required(fields, field, 'uuid', 'uuid: 4dea22b3-1d52-d8f3-2516-782e98ab3fa0'),
    seen,
  )
  const nameField = reader.required(fields, field, 'name', 'name: NAME')
  const name = nameField === null ? null : reader.text(nameField)
  const host = readHost(reader, reader.required(fields, field, 'host', 'host: HOST'), seen)
  const tenantField = fields.get('tenant')
  const tenant = tenantField === undefined ? null : readTenant(reader, tenantField)
  const labelsField = fields.get('labels')
  const labels = labelsField === undefined ? {} : readLabels(reader, labelsField)
  const endpointsField = reader.required(fields, field, 'endpoints', 'endpoints: []')
  const items = endpointsField === null ? [] : (reader.list(endpointsField) ?? [])
  const owner = { uuid, name: name ?? '' }
  const own = new Set<string>()
  const endpoints = items.map((item) => readEndpoint(reader, item, owner, own, seen)).filter((one) => one !== null)
  if (uuid === null || name === null || host === null) return null
  const os = readOptional(reader, fields.get('os'))
  return { uuid, name, host, tenant, labels, ...(os === null ? {} : { os }), endpoints }
}

/** Absent is not known, which is not empty. */
function readOptional(reader: DocumentReader, field: NamedField | undefined): string | null {
  return field === undefined ? null : reader.text(field)
}

function readUuid(reader: DocumentReader, field: NamedField | null, seen: Seen): VmUuid | null {
  const text = field === null ? null : reader.text(field)
  if (field === null || text === null) return null
  const uuid = parseVmUuid(text)
  if (uuid === null) reader.report.add('uuid.malformed', field.path, field.place, { text })
  else if (seen.vms.has(uuid)) reader.report.add('inventory.duplicate-vm', field.path, field.place, { vm: uuid })
  else seen.vms.add(uuid)
  return uuid
}

function readHost(reader: DocumentReader, field: NamedField | null, seen: Seen): HostName | null {
  const text = field === null ? null : reader.text(field)
  if (field === null || text === null) return null
  const host = parseHostName(text)
  if (host === null) reader.report.add('host.malformed', field.path, field.place, { text })
  else if (!seen.hosts.has(host)) {
    reader.report.add('inventory.unknown-host', field.path, field.place, { host, nearest: nearest(host, seen.hosts) })
  }
  return host
}

function readTenant(reader: DocumentReader, field: NamedField): TenantName | null {
  const text = reader.text(field)
  const name = text === null ? null : readName(reader.report, text, 'tenant', field.path, field.place)
  return name === null ? null : parseTenantName(name)
}

function readLabels(reader: DocumentReader, field: Field): Readonly<Record<string, string>> {
  const labels: [string, string][] = []
  for (const [key, value] of reader.dictionary(field) ?? []) {
    const text = reader.text(value)
    if (text !== null) labels.push([key, text])
  }
  return Object.fromEntries(labels)
}

function readEndpoint(
  reader: DocumentReader,
  field: Field,
  owner: { readonly uuid: VmUuid | null; readonly name: string },
  own: Set<string>,
  seen: Seen,
): Endpoint | null {
  const { report } = reader
  const fields = reader.record(field, ['mac', 'addresses', 'segment'])
  if (fields === null) return null
  const macField = reader.required(fields, field, 'mac', 'mac: 52:54:00:12:34:56')
  const macText = macField === null ? null : reader.text(macField)
  const mac = macText === null ? null : parseMac(macText)
  const label = `${owner.name} (${mac ?? '?'})`
  if (macField !== null && macText !== null) {
    if (mac === null) report.add('mac.malformed', macField.path, macField.place, { text: macText })
    else if (own.has(mac))
      report.add('inventory.duplicate-endpoint', macField.path, macField.place, { vm: owner.name, mac })
    else if (seen.macs.has(mac)) {
      report.add('inventory.duplicate-mac', macField.path, macField.place, { mac, other: seen.macs.get(mac) ?? '' })
    } else seen.macs.set(mac, label)
    if (mac !== null) own.add(mac)
  }
  const addresses: Address[] = []
  const listField = reader.required(fields, field, 'addresses', 'addresses: [10.0.0.1]')
  for (const item of listField === null ? [] : (reader.list(listField) ?? [])) {
    const text = reader.text(item)
    if (text === null) continue
    const address = parseAddress(text)
    const other = address === null ? undefined : seen.addresses.get(address)
    if (address === null) {
      report.add('address.malformed', item.path, item.place, {
        text,
        expected: 'address',
        example: '10.20.0.11, fd00:20::11',
      })
    } else if (other !== undefined) {
      report.add('inventory.duplicate-address', item.path, item.place, { address, other })
    } else {
      seen.addresses.set(address, label)
      addresses.push(address)
    }
  }
  const segment = readOptional(reader, fields.get('segment'))
  if (mac === null || owner.uuid === null) return null
  return { id: toEndpointId(owner.uuid, mac), mac, addresses, ...(segment === null ? {} : { segment }) }
}
