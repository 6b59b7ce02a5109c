/** A model of libvirt: VMs that start and stop, making devices in the kernel model; it can hang, and it can be restarted. */
import { known, unknown } from '@hyperward/model'

import type { FollowedVm } from '../taps/followed-vm.ts'
import type { Link, LinkReader } from '../taps/to-taps.ts'
import type { LibvirtSession, LibvirtSessionHandlers } from '../taps/vm-follower.ts'
import type { KernelModel } from './kernel-model.ts'
import { sampleVm } from './sample-plan.ts'

export interface LibvirtModel {
  openSession(handlers: LibvirtSessionHandlers): Promise<LibvirtSession>
  readonly links: LinkReader
  startVm(n: number, how?: Partial<Pick<FollowedVm, 'tenant' | 'problems' | 'os'>>): void
  stopVm(n: number): void
  /** Fails when told to; else the VM stops here and is gone. */
  moveOut(vm: string, onStopped: () => void): void
  refusesToMove: boolean
  /** Ends all sessions; VMs run on. */
  restart(): void
  hangs: boolean
  readonly sessions: Set<LibvirtSessionHandlers>
}

export function createLibvirtModel(kernel: KernelModel): LibvirtModel {
  const vms = new Map<number, FollowedVm>()
  const macs = new Map<string, string>()
  let nextIfindex = 100

  function changed(cause: string): void {
    if (!model.hangs) for (const session of model.sessions) session.onChange(cause)
  }

  const model: LibvirtModel = {
    hangs: false,
    refusesToMove: false,
    moveOut(vm, onStopped) {
      const [n] = [...vms].find(([, each]) => each.uuid === vm) ?? []
      if (n === undefined || model.refusesToMove) throw new Error('libvirt.call-failed: no')
      onStopped()
      model.stopVm(n)
    },
    sessions: new Set(),
    async openSession(handlers) {
      if (model.hangs) throw new Error('libvirt.unresponsive: no answer')
      model.sessions.add(handlers)
      return {
        observe: async () => (model.hangs ? unknown('libvirt.unresponsive: no answer') : known([...vms.values()])),
        close: () => void model.sessions.delete(handlers),
      }
    },
    links: {
      read: async (devices) => {
        const links = new Map<string, Link>()
        for (const device of devices) {
          const ifindex = kernel.devices.get(device)
          if (ifindex !== undefined) links.set(device, { device, ifindex, segment: 2, mac: macs.get(device) ?? '' })
        }
        return known(links)
      },
    },
    startVm(n, how = {}) {
      const { uuid, mac, endpoint, name } = sampleVm(n)
      const device = `vnet${n}`
      kernel.devices.set(device, (nextIfindex += 1))
      macs.set(device, `fe${mac.slice(2)}`)
      const nics = [{ endpoint, mac, addresses: [], segment: 'br0', device, unguardable: null }]
      vms.set(n, { uuid, name, tenant: 'acme', labels: {}, os: null, nics, problems: [], unreadable: false, ...how })
      changed(`${name} started`)
    },
    stopVm(n) {
      const device = `vnet${n}`
      const ifindex = kernel.devices.get(device)
      kernel.devices.delete(device)
      // with the device its program goes; its number in the door's set does not
      if (ifindex !== undefined) {
        kernel.enforced.delete(ifindex)
        kernel.open.delete(ifindex)
      }
      vms.delete(n)
      changed(`vm${n} stopped`)
    },
    restart() {
      const ended = [...model.sessions]
      model.sessions.clear()
      for (const session of ended) session.onClosed('libvirt.closed: end of stream')
    },
  }
  return model
}
