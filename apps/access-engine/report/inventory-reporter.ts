/** Tells the center the VMs of this host when they change, and each problem of a VM's metadata once. Called only with what was really read: absence means gone. */
import type { ReportedVm } from '@hyperward/protocol'

import type { FollowedVm } from '../taps/followed-vm.ts'

export interface InventoryReporterOptions {
  readonly report: (vms: ReportedVm[]) => void
  readonly onProblem: (vm: FollowedVm, message: string) => void
}

export interface InventoryReporter {
  onVms(vms: readonly FollowedVm[]): void
}

export function createInventoryReporter(options: InventoryReporterOptions): InventoryReporter {
  let lastText: string | null = null
  let told = new Set<string>()

  function tellProblems(vms: readonly FollowedVm[]): void {
    const present = new Set<string>()
    for (const vm of vms) {
      for (const problem of vm.problems) {
        const message = `${vm.name}: ${problem}`
        const key = `${vm.uuid} ${message}`
        present.add(key)
        if (!told.has(key)) options.onProblem(vm, message)
      }
    }
    told = present
  }

  return {
    onVms(vms) {
      tellProblems(vms)
      const reported = vms.map(toReportedVm).toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1))
      const text = JSON.stringify(reported)
      if (text === lastText) return
      lastText = text
      options.report(reported)
    },
  }
}

function toReportedVm(vm: FollowedVm): ReportedVm {
  return {
    uuid: vm.uuid,
    name: vm.name,
    tenant: vm.tenant,
    labels: { ...vm.labels },
    ...(vm.os === null ? {} : { os: vm.os }),
    endpoints: vm.nics.map(({ mac, addresses, segment }) => ({
      mac,
      addresses: [...addresses],
      // what is longer than any name libvirt should give is not a name to select by
      ...(segment === null || segment === '' || segment.length > 255 ? {} : { segment }),
    })),
  }
}
