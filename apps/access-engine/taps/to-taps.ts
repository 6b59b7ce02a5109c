import { known, type EndpointId, type Mac, type Observed } from '@hyperward/model'

import type { FollowedVm } from './followed-vm.ts'
import type { Tap, TapLink } from './tap.ts'

/** A network device of this host as the kernel has it. */
export interface Link extends TapLink {
  readonly mac: string
}

export interface LinkReader {
  /** Those of the devices named that there are, by name. */
  read(devices: readonly string[]): Promise<Observed<ReadonlyMap<string, Link>>>
}

export interface ResolvedTaps {
  readonly taps: readonly Tap[]
  /** Endpoints whose device does not carry the VM's MAC. */
  readonly unsure: ReadonlySet<EndpointId>
}

/** Unknown when the kernel's devices cannot be read: a device that could not be looked at is not one that is gone. */
export async function toTaps(vms: readonly FollowedVm[], links: LinkReader): Promise<Observed<ResolvedTaps>> {
  // all at once: looking them up one by one lists every device of the host for each of them
  const read = await links.read(vms.flatMap((vm) => vm.nics.flatMap(({ device }) => (device === null ? [] : [device]))))
  if (!read.known) return read
  const taps: Tap[] = []
  const unsure = new Set<EndpointId>()
  for (const vm of vms) {
    for (const { endpoint, mac, device, unguardable } of vm.nics) {
      const link = device === null ? null : (read.value.get(device) ?? null)
      if (link !== null && !isTapMac(link.mac, mac)) unsure.add(endpoint)
      const found = link === null ? null : { device: link.device, ifindex: link.ifindex, segment: link.segment }
      taps.push({ endpoint, vm: vm.uuid, vmName: vm.name, claimed: vm.tenant !== null, unguardable, link: found })
    }
  }
  return known({ taps, unsure })
}

/** libvirt: the tap has the guest's MAC with first byte fe (fa where the guest's begins with fe). */
function isTapMac(tapMac: string, guestMac: Mac): boolean {
  return tapMac.slice(2) === guestMac.slice(2) && (tapMac.startsWith('fe:') || tapMac.startsWith('fa:'))
}
