import { parseAddress, parseMac, parseTenantName } from '@hyperward/model'
import { vmSchema, type ApiEndpoint, type PatchVm } from '@hyperward/protocol'

import type { Call, Run } from '../command.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import { readAnswer } from '../read-answer.ts'
import { UsageError } from '../usage-error.ts'
import { tellVm } from './vms-show.ts'

type Values = Call<'vms set'>['values']

export const vmsSet: Run<'vms set'> = async ({ values, positionals: [name = ''], context }) => {
  const { out, text, globals } = context
  const isNothing = values.tenant === undefined && values.os === undefined
  if (isNothing && values.label.length + values.address.length + values.reset.length === 0) {
    throw UsageError.of('cli.usage.nothing-to-set', {}, 'vms set')
  }
  const center = await context.connect()
  const endpoints = await readEndpoints(center)
  const uuid = findVm(endpoints, name)
  const macs = endpoints.filter(({ vm }) => vm.uuid === uuid).map(({ mac }) => mac)
  const route = 'PATCH /v1/vms/{uuid}'
  const answer = await center.ask(route, { params: { uuid }, body: toPatch(values, macs) })
  if (globals.json) return (out.json(answer), 'ok')
  const vm = readAnswer(route, vmSchema, answer)
  out.line(text('cli.said.vm-set', { vm: vm.name ?? vm.uuid }))
  tellVm(context, vm)
  return 'ok'
}

function toPatch(values: Values, macs: readonly ApiEndpoint['mac'][]): PatchVm {
  const labels: Record<string, string | null> = {}
  for (const label of values.label) {
    const equals = label.indexOf('=')
    if (equals < 1) throw UsageError.of('cli.usage.bad-label', { value: label }, 'vms set')
    labels[label.slice(0, equals)] = label.slice(equals + 1)
  }
  const addresses: Record<string, string[] | null> = {}
  for (const text of values.address) {
    const [mac, list] = splitAddresses(text, macs)
    addresses[mac] = [...(addresses[mac] ?? []), ...list]
  }
  if (values.tenant !== undefined && parseTenantName(values.tenant) === null) {
    throw UsageError.of(
      'cli.usage.bad-choice',
      { text: '--tenant', value: values.tenant, choices: 'NAME', nearest: '' },
      'vms set',
    )
  }
  const resets = toResets(values.reset, labels, addresses)
  return {
    ...(values.tenant === undefined ? {} : { tenant: values.tenant }),
    ...(resets.has('tenant') ? { tenant: null } : {}),
    ...(values.os === undefined ? {} : { os: values.os }),
    ...(resets.has('os') ? { os: null } : {}),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
    ...(resets.has('labels') ? { labels: null } : {}),
    ...(Object.keys(addresses).length === 0 ? {} : { addresses }),
    ...(resets.has('addresses') ? { addresses: null } : {}),
  }
}

/** `MAC=A,B`, or `A,B` for a VM with one endpoint. */
function splitAddresses(text: string, macs: readonly string[]): readonly [string, readonly string[]] {
  const equals = text.indexOf('=')
  const written = equals < 0 ? null : text.slice(0, equals)
  const [only] = macs
  if (written === null && (only === undefined || macs.length > 1)) {
    throw UsageError.of('cli.usage.needs', { first: '--address', second: 'MAC=' }, 'vms set')
  }
  const mac = written === null ? (only ?? '') : parseMac(written)
  if (mac === null) throw UsageError.of('cli.usage.bad-mac', { value: written ?? '' }, 'vms set')
  const list = text.slice(equals + 1).split(',')
  return [mac, list.map((entry) => parseAddress(entry.trim()) ?? badAddress(entry))]
}

function badAddress(value: string): never {
  throw UsageError.of('cli.usage.bad-address', { value }, 'vms set')
}

/** Whole fields to take back; single keys are written into the given maps as null. */
function toResets(
  resets: readonly string[],
  labels: Record<string, string | null>,
  addresses: Record<string, string[] | null>,
): ReadonlySet<string> {
  const whole = new Set<string>()
  for (const reset of resets) {
    const colon = reset.indexOf(':')
    const [kind, key] = colon < 0 ? [reset, ''] : [reset.slice(0, colon), reset.slice(colon + 1)]
    if (colon < 0 && ['tenant', 'os', 'labels', 'addresses'].includes(reset)) {
      whole.add(reset)
    } else if (kind === 'label' && key !== '') {
      labels[key] = null
    } else if (kind === 'addresses' && parseMac(key) !== null) {
      addresses[parseMac(key) ?? key] = null
    } else throw UsageError.of('cli.usage.bad-reset', { value: reset }, 'vms set')
  }
  return whole
}
