/** A flow record in the words of the policy's author: `globex/mail → acme/db tcp/5432 dropped by acme / shop / no-outsiders`. */
import { dropReasons, type DropReason } from '@hyperward/model'
import type { ApiEndpoint, ApiFlow } from '@hyperward/protocol'

import type { Text } from '../text.ts'
import { refToRuleName, toServiceName, toSize } from './to-words.ts'

/** Address → `tenant/vm`. */
export type AddressNames = ReadonlyMap<string, string>

export function toAddressNames(endpoints: readonly ApiEndpoint[]): AddressNames {
  return new Map(
    endpoints.flatMap(({ addresses, tenant, vm }) =>
      addresses.map((address) => [address, tenant === null ? vm.name : `${tenant}/${vm.name}`] as const),
    ),
  )
}

export function toFlowSentence(text: Text, flow: ApiFlow, names: AddressNames): string {
  const rule = flow.rule === null ? '' : refToRuleName(text, flow.rule)
  const what = toConnection(text, flow, names)
  const sentence = {
    drop: () => toDropSentence(text, flow, names, what, rule),
    monitor: () => text(`cli.said.monitor-${flow.action}`, { flow: what, rule }),
    'flow-start': () => text('cli.said.flow-start', { flow: what, rule }),
    'flow-end': () =>
      text('cli.said.flow-end', {
        flow: what,
        rule,
        end: toEnd(text, flow.reason),
        packets: flow.packets,
        bytes: toSize(flow.bytes),
      }),
  }[flow.kind]()
  return flow.suppressed === 0 ? sentence : `${sentence} ${text('cli.said.suppressed', { n: flow.suppressed })}`
}

function toDropSentence(text: Text, flow: ApiFlow, names: AddressNames, what: string, rule: string): string {
  if (flow.reason === 'policy' || flow.reason === null) {
    return text(flow.action === 'reject' ? 'cli.said.rejected-by' : 'cli.said.dropped-by', { flow: what, rule })
  }
  const reason = toReason(text, flow.reason, flow.sourceMac ?? '')
  if (flow.rule !== null) return text('cli.said.dropped-by-why', { flow: what, rule, reason })
  const { tuple } = flow
  if (tuple === null || flow.direction !== 'egress' || !forgeries.has(flow.reason)) {
    return text('cli.said.dropped-why', { flow: what, reason })
  }
  // who sent it is certain, by the tap it came from; the source is only what the packet claims
  const owner = names.get(tuple.source)
  const claimed = owner === undefined ? tuple.source : `${owner} (${tuple.source})`
  const destination = names.get(tuple.destination) ?? tuple.destination
  const service = toServiceName(text, tuple.protocol, tuple.destinationPort)
  return text('cli.said.sent-as', { vm: toOwn(flow), flow: `${claimed} → ${destination} ${service}`, reason })
}

/** The guards on who a VM says it is. */
const forgeries: ReadonlySet<string> = new Set<DropReason>(['source-mac', 'source-address', 'arp-source', 'nd-source'])

function toReason(text: Text, reason: string, mac: string): string {
  if (!isDropReason(reason) || reason === 'policy') return reason
  return reason === 'source-mac' ? text('cli.drop.source-mac', { mac }) : text(`cli.drop.${reason}`)
}

const endings = ['closed', 'reset', 'timeout', 'revoked'] as const

function toEnd(text: Text, reason: string | null): string {
  const known = endings.find((end) => end === reason)
  return known === undefined ? (reason ?? text('cli.word.none')) : text(`cli.end.${known}`)
}

function isDropReason(reason: string): reason is DropReason {
  return Object.hasOwn(dropReasons, reason)
}

function toConnection(text: Text, flow: ApiFlow, names: AddressNames): string {
  const { tuple, direction } = flow
  const own = toOwn(flow)
  if (tuple === null) return own
  // the record's own VM is certain even when its address is unknown or was moved; the other side is looked up
  const ownAddress = direction === 'egress' ? tuple.source : tuple.destination
  const side = (address: string): string => {
    const name = names.get(address)
    if (address !== ownAddress || flow.vmName === null) return name ?? address
    return name === own ? own : `${own} (${address})`
  }
  return `${side(tuple.source)} → ${side(tuple.destination)} ${toServiceName(text, tuple.protocol, tuple.destinationPort)}`
}

function toOwn({ tenant, vmName, endpoint }: ApiFlow): string {
  return `${tenant === null ? '' : `${tenant}/`}${vmName ?? endpoint}`
}
