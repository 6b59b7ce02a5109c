/** Whose an address is, for people: the VM of the endpoint that has it. An address that two claim, or of a VM without a tenant, is nobody's. */
import type { Address, Inventory, TenantName, Vm } from '@hyperward/model'

import { linkLocalAddress } from '../resolve/link-local-address.ts'

export interface AddressHolder {
  readonly vm: Vm
  readonly tenant: TenantName
}

export function createHolderLookup({ vms }: Inventory): (address: Address) => AddressHolder | null {
  const holders = new Map<Address, AddressHolder | null>()
  for (const vm of vms) {
    const { tenant } = vm
    if (tenant === null) continue
    for (const { mac, addresses } of vm.endpoints) {
      for (const address of new Set([...addresses, linkLocalAddress(mac)])) {
        holders.set(address, holders.has(address) ? null : { vm, tenant })
      }
    }
  }
  return (address) => holders.get(address) ?? null
}
