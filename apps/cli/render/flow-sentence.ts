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
  const what = toConnection(flow, names)
  const sentence = {
    drop: () => toDropSentence(text, flow, what, rule),
    'flow-start': () => text('cli.said.flow-start', { flow: what, rule }),
    'flow-end': () =>
      text('cli.said.flow-end', {
        flow: what,
        rule,
        end: flow.reason ?? '',
        packets: flow.packets,
        bytes: toSize(flow.bytes),
      }),
  }[flow.kind]()
  return flow.suppressed === 0 ? sentence : `${sentence} ${text('cli.said.suppressed', { n: flow.suppressed })}`
}

function toDropSentence(text: Text, flow: ApiFlow, what: string, rule: string): string {
  if (flow.reason === 'policy' || flow.reason === null) {
    return text(flow.action === 'reject' ? 'cli.said.rejected-by' : 'cli.said.dropped-by', { flow: what, rule })
  }
  return text('cli.said.dropped-why', { flow: what, reason: toReason(text, flow.reason, flow.sourceMac ?? '') })
}

function toReason(text: Text, reason: string, mac: string): string {
  if (!isDropReason(reason) || reason === 'policy') return reason
  return reason === 'source-mac' ? text('cli.drop.source-mac', { mac }) : text(`cli.drop.${reason}`)
}

function isDropReason(reason: string): reason is DropReason {
  return Object.hasOwn(dropReasons, reason)
}

function toConnection({ tuple, vmName, tenant, endpoint, direction }: ApiFlow, names: AddressNames): string {
  const own = `${tenant === null ? '' : `${tenant}/`}${vmName ?? endpoint}`
  if (tuple === null) return own
  // the record's own VM is certain even when its address is forged or was moved; the other side is looked up
  const ownAddress = direction === 'egress' ? tuple.source : tuple.destination
  const side = (address: string): string =>
    address === ownAddress && names.get(address) === undefined ? `${own} (${address})` : (names.get(address) ?? address)
  return `${side(tuple.source)} → ${side(tuple.destination)} ${toServiceName(tuple.protocol, tuple.destinationPort)}`
}
