/** drivers/libvirt as the follower wants it: subscribed before the first look, so that nothing happens between the two unseen. */
import { toEndpointId, type Observed } from '@hyperward/model'
import {
  createLibvirtConnection,
  observeDomains,
  type LibvirtEvent,
  type ObservedDomain,
} from '@hyperward/driver-libvirt'

import type { FollowedNic, FollowedVm } from './followed-vm.ts'
import type { LibvirtSession, LibvirtSessionHandlers } from './vm-follower.ts'

export interface LibvirtSessionOptions {
  readonly path: string
  /** A libvirt that takes longer for one call counts as gone. */
  readonly callTimeoutMs?: number
}

export async function openLibvirtSession(
  options: LibvirtSessionOptions,
  handlers: LibvirtSessionHandlers,
): Promise<LibvirtSession> {
  const connection = await createLibvirtConnection({
    path: options.path,
    callTimeoutMs: options.callTimeoutMs ?? 4000,
    keepaliveIntervalMs: 3000,
    onEvent: (event) => handlers.onChange(toCause(event)),
    onClose: (error) => handlers.onClosed(error === null ? 'closed by us' : `${error.code}: ${error.message}`),
  })
  await connection.subscribe()
  return {
    async observe(): Promise<Observed<readonly FollowedVm[]>> {
      const observed = await observeDomains(connection)
      return observed.known ? { known: true, value: observed.value.filter(isActive).map(toFollowedVm) } : observed
    },
    close: () => void connection.close(),
  }
}

/** A domain that is only defined uses no network, and may be defined on several hosts: it is no VM of this host until it starts. */
function isActive(domain: ObservedDomain): boolean {
  return domain.state !== 'shut-off'
}

function toFollowedVm(domain: ObservedDomain): FollowedVm {
  return {
    uuid: domain.uuid,
    name: domain.name,
    tenant: domain.tenant,
    labels: domain.labels,
    os: domain.os,
    nics: domain.interfaces.map(({ mac, device, type, addresses, segment }): FollowedNic => ({
      endpoint: toEndpointId(domain.uuid, mac),
      mac,
      addresses,
      segment,
      device: tapTypes.has(type) ? device : null,
      unguardable: tapTypes.has(type) ? null : `an interface of type "${type}" has no tap to guard`,
    })),
    unreadable:
      domain.interfaces.length === 0 && domain.problems.some((one) => one.code === 'libvirt.domain-malformed'),
    problems: domain.problems.map(({ code, message }) => `${code}: ${message}`),
  }
}

const tapTypes: ReadonlySet<string> = new Set(['bridge', 'network', 'ethernet'])

function toCause(event: LibvirtEvent): string {
  return event.kind === 'lifecycle' ? `${event.domain.name} ${event.event}` : `${event.domain.name} ${event.kind}`
}
