/** What is wrong in an inventory put together from agents' reports: each clash once, as warnings. The compiler leaves the clashing things closed by itself. */
import { nearest } from '@hyperward/catalogue'
import type { Diagnostic, Inventory } from '@hyperward/model'

import { createReport } from '../document/report.ts'

export function validateInventory(inventory: Inventory): readonly Diagnostic[] {
  const report = createReport()
  const hosts = new Set<string>(inventory.hosts.map((host) => host.name))
  const vms = new Set<string>()
  const macs = new Map<string, string>()
  const addresses = new Map<string, string>()
  for (const vm of inventory.vms) {
    const path = `vms.${vm.uuid}`
    if (vms.has(vm.uuid)) report.add('inventory.duplicate-vm', path, undefined, { vm: vm.uuid }, 'warning')
    vms.add(vm.uuid)
    if (!hosts.has(vm.host)) {
      report.add(
        'inventory.unknown-host',
        path,
        undefined,
        { host: vm.host, nearest: nearest(vm.host, hosts) },
        'warning',
      )
    }
    for (const endpoint of vm.endpoints) {
      const label = `${vm.name} (${endpoint.mac})`
      const other = macs.get(endpoint.mac)
      if (other !== undefined)
        report.add('inventory.duplicate-mac', path, undefined, { mac: endpoint.mac, other }, 'warning')
      else macs.set(endpoint.mac, label)
      for (const address of endpoint.addresses) {
        const owner = addresses.get(address)
        if (owner !== undefined)
          report.add('inventory.duplicate-address', path, undefined, { address, other: owner }, 'warning')
        else addresses.set(address, label)
      }
    }
  }
  return report.diagnostics
}
