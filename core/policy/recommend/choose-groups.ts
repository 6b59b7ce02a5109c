/** Names for sets of VMs of one tenant: labels where labels select exactly them, else the VMs' own names, else their addresses. */
import { type Inventory, isName, type TenantName, type Vm, type VmUuid } from '@hyperward/model'

import { linkLocalAddress } from '../resolve/link-local-address.ts'
import { toFlowText } from './flow-text.ts'

export interface ChosenGroup {
  readonly name: string
  /** What stands behind the name, in flow style without the braces. */
  readonly selector: string
}

export interface GroupChooser {
  /** The groups whose members together are exactly these VMs. */
  readonly choose: (members: ReadonlySet<VmUuid>) => readonly ChosenGroup[]
  /** Sets that labels select and a VM is in. */
  readonly setsOf: (vm: VmUuid) => readonly { readonly key: string; readonly members: ReadonlySet<VmUuid> }[]
}

type Label = readonly [key: string, value: string]

/** Of labels together, so many at most in a generalized group. */
const longestSelector = 2

export function createGroupChooser({ vms }: Inventory, tenant: TenantName): GroupChooser {
  const own = new Map(vms.filter((vm) => vm.tenant === tenant).map((vm) => [vm.uuid, vm]))
  const byName = Map.groupBy(own.values(), (vm) => vm.name)
  const byLabel = new Map<string, Set<VmUuid>>()
  for (const { uuid, labels } of own.values()) {
    for (const label of Object.entries(labels)) {
      const key = keyOf(label)
      byLabel.set(key, (byLabel.get(key) ?? new Set()).add(uuid))
    }
  }
  const select = (labels: readonly Label[]): ReadonlySet<VmUuid> => {
    const [first, ...rest] = labels.map((label): ReadonlySet<VmUuid> => byLabel.get(keyOf(label)) ?? new Set())
    return new Set([...(first ?? [])].filter((uuid) => rest.every((some) => some.has(uuid))))
  }
  const names = new Set<string>(reserved)
  const known = new Map<string, ChosenGroup>()
  const make = (wanted: string, selector: string): ChosenGroup => {
    const found = known.get(selector)
    if (found !== undefined) return found
    const made = { name: toFreeName(wanted, names), selector }
    names.add(made.name)
    known.set(selector, made)
    return made
  }
  const byLabels = (labels: readonly Label[]): ChosenGroup =>
    make(
      labels.map(([, value]) => value).join('-'),
      `labels: {${labels.map(([key, value]) => `${toFlowText(key)}: ${toFlowText(value)}`).join(', ')}}`,
    )
  const byNames = (members: readonly Vm[]): readonly ChosenGroup[] => {
    const nameable = members.filter(({ name }) => byName.get(name)?.length === 1 && !/[*?]/.test(name))
    const others = members.filter((vm) => !nameable.includes(vm))
    const listed = nameable.map((vm) => vm.name).sort()
    const groups = listed.length === 0 ? [] : [make(joinNames(listed), `names: [${listed.map(toFlowText).join(', ')}]`)]
    const listedAddresses = others
      .flatMap(({ endpoints }) => endpoints.flatMap(({ mac, addresses }) => [...addresses, linkLocalAddress(mac)]))
      .sort()
    if (listedAddresses.length === 0) return groups
    return [
      ...groups,
      make(`addresses-of-${others[0]?.name ?? ''}`, `networks: [${listedAddresses.map(toFlowText).join(', ')}]`),
    ]
  }
  return {
    choose: (members) => {
      if (members.size === 1) return byNames([...members].flatMap((uuid) => own.get(uuid) ?? []))
      const exact = findLabels(members, own, select)
      if (exact !== null) return [byLabels(exact)]
      const left = new Set(members)
      const groups: ChosenGroup[] = []
      const inside = [...byLabel].filter(([, some]) => some.size > 1 && isInside(some, members))
      for (const [key, some] of inside.sort(([a, x], [b, y]) => y.size - x.size || (a < b ? -1 : 1))) {
        if (!isInside(some, left)) continue
        for (const uuid of some) left.delete(uuid)
        groups.push(byLabels([fromKey(key)]))
      }
      const rest = [...left].flatMap((uuid) => own.get(uuid) ?? [])
      return [...groups, ...byNames(rest)]
    },
    setsOf: (uuid) => {
      const labels = Object.entries(own.get(uuid)?.labels ?? {}).sort(([a], [b]) => (a < b ? -1 : 1))
      return combine(labels, longestSelector).map((some) => ({
        key: [tenant, ...some.map(keyOf)].join('\n'),
        members: select(some),
      }))
    },
  }
}

/** The fewest labels that select exactly these VMs, or null. */
function findLabels(
  members: ReadonlySet<VmUuid>,
  own: ReadonlyMap<VmUuid, Vm>,
  select: (labels: readonly Label[]) => ReadonlySet<VmUuid>,
): readonly Label[] | null {
  const [first, ...others] = [...members].map((uuid) => own.get(uuid)?.labels ?? {})
  const common = Object.entries(first ?? {})
    .filter(([key, value]) => others.every((labels) => Object.hasOwn(labels, key) && labels[key] === value))
    .sort(([a], [b]) => (a < b ? -1 : 1))
  // one VM is better known by its name than by what it happens to be labelled
  if (members.size < 2 || common.length === 0 || select(common).size !== members.size) return null
  return combine(common, longestSelector).find((some) => select(some).size === members.size) ?? common
}

/** Every choice of one, then of two, …; ascending in size. */
function combine(labels: readonly Label[], longest: number): readonly (readonly Label[])[] {
  const singles = labels.map((label) => [label])
  if (longest < 2) return singles
  return [...singles, ...labels.flatMap((one, at) => labels.slice(at + 1).map((other) => [one, other]))]
}

function keyOf([key, value]: Label): string {
  return `${key}\0${value}`
}

function fromKey(key: string): Label {
  const at = key.indexOf('\0')
  return [key.slice(0, at), key.slice(at + 1)]
}

function isInside(some: ReadonlySet<VmUuid>, all: ReadonlySet<VmUuid>): boolean {
  return [...some].every((uuid) => all.has(uuid))
}

/** Words with a meaning of their own in the language. */
const reserved = ['any', 'provider', 'common'] as const

function joinNames(names: readonly string[]): string {
  const [first = '', second = ''] = names
  if (names.length < 3) return names.length === 1 ? first : `${first}-and-${second}`
  return `${first}-and-${names.length - 1}-more`
}

/** What a name may hold of the one wanted; with a number when it is taken. */
export function toFreeName(wanted: string, taken: { readonly has: (name: string) => boolean }): string {
  const clean = wanted
    .replaceAll(/[^\p{L}\p{N}._-]+/gu, '-')
    .slice(0, 55)
    .replaceAll(/^[._-]+|[._-]+$/g, '')
  const base = isName(clean) ? clean : 'group'
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? base : `${base}-${number}`
    if (!taken.has(name)) return name
  }
}
