/**
 * Groups and sides as leaves. A leaf says by itself whether an address is in it: by the endpoint that has it, by networks, or (a composite) by other leaves,
 * some of which must hold and none of others. Everything a rule can name is a union of leaves.
 */
import type { Group, GroupName, Prefix, RuleSide, Selector } from '@hyperward/model'

export type Leaf =
  | {
      readonly kind: 'endpoints'
      readonly number: number
      readonly key: string
      readonly selector: Extract<Selector, { kind: 'endpoints' }>
    }
  | {
      readonly kind: 'networks'
      readonly number: number
      readonly key: string
      readonly networks: readonly Prefix[]
      readonly except: readonly Prefix[]
    }
  | {
      readonly kind: 'composite'
      readonly number: number
      readonly key: string
      /** Leaves made before it; `any` = every address. */
      readonly include: Leaves
      readonly exclude: readonly number[]
    }

/** A union of leaves; `any` = every address. */
export type Leaves = 'any' | readonly number[]

export interface LeafTable {
  readonly list: () => readonly Leaf[]
  readonly keyOf: (number: number) => string
  readonly ofGroup: (name: GroupName) => Leaves
  readonly ofSide: (side: RuleSide) => Leaves
  /** All leaves that hold an address which is in these by itself (endpoint and network leaves). */
  readonly complete: (own: readonly number[]) => readonly number[]
}

/** Only groups that are asked for become leaves: a group that no rule names tells nothing apart. */
export function createLeafTable(groups: readonly Group[]): LeafTable {
  const byName = new Map(groups.map((group) => [group.name, group]))
  const leaves: Leaf[] = []
  const byKey = new Map<string, number>()
  const known = new Map<GroupName, Leaves>()

  const add = (key: string, make: (number: number) => Leaf): readonly number[] => {
    const number = byKey.get(key)
    if (number !== undefined) return [number]
    byKey.set(key, leaves.length)
    leaves.push(make(leaves.length))
    return [leaves.length - 1]
  }
  const keyOf = (number: number): string => leaves[number]?.key ?? ''
  const subtract = (include: Leaves, exclude: Leaves): Leaves => {
    if (exclude === 'any') return []
    if (exclude.length === 0) return include
    const without = exclude.map(keyOf).sort().join(',')
    const key = `(${include === 'any' ? 'any' : include.map(keyOf).sort().join(',')} but ${without})`
    return add(key, (number) => ({ kind: 'composite', number, key, include, exclude }))
  }
  const ofSelector = (name: GroupName, selector: Selector): Leaves => {
    switch (selector.kind) {
      case 'endpoints':
        return add(name, (number) => ({ kind: 'endpoints', number, key: name, selector }))
      case 'networks': {
        const { networks, except } = selector
        if (!coversEverything(networks))
          return add(name, (number) => ({ kind: 'networks', number, key: name, networks, except }))
        if (except.length === 0) return 'any'
        // as a set of networks it would pair every class of addresses with every other
        const key = `${name} except`
        return subtract(
          'any',
          add(key, (number) => ({ kind: 'networks', number, key, networks: except, except: [] })),
        )
      }
      case 'groups':
        return subtract(ofNames(selector.groups), ofNames(selector.except))
    }
  }
  const ofNames = (names: readonly GroupName[]): Leaves => unite(names.map(ofGroup))
  const ofGroup = (name: GroupName): Leaves => {
    const already = known.get(name)
    if (already !== undefined) return already
    for (const pending of membersFirst(name, byName)) {
      if (known.has(pending)) continue
      const group = byName.get(pending)
      if (group === undefined) throw new Error(`a rule names an unknown group: ${pending}`)
      known.set(pending, ofSelector(pending, group.selector))
    }
    return known.get(name) ?? []
  }
  return {
    list: () => leaves,
    keyOf,
    ofGroup,
    ofSide: (side) => subtract(side.kind === 'any' ? 'any' : ofNames(side.groups), ofNames(side.except)),
    complete: (own) => {
      const held = new Set(own)
      for (const leaf of leaves) {
        if (leaf.kind !== 'composite') continue
        const included = leaf.include === 'any' || leaf.include.some((one) => held.has(one))
        if (included && !leaf.exclude.some((one) => held.has(one))) held.add(leaf.number)
      }
      return [...held].sort((a, b) => a - b)
    },
  }
}

function unite(parts: readonly Leaves[]): Leaves {
  const all = new Set<number>()
  for (const part of parts) {
    if (part === 'any') return 'any'
    for (const one of part) all.add(one)
  }
  return [...all].sort((a, b) => a - b)
}

/** A group after all groups it is made of, without recursion: a chain may be longer than the call stack. Policies are acyclic once parsed. */
function membersFirst(start: GroupName, byName: ReadonlyMap<GroupName, Group>): readonly GroupName[] {
  const order = new Set<GroupName>()
  const path: { readonly name: GroupName; readonly members: readonly GroupName[]; next: number }[] = []
  const enter = (name: GroupName): void => {
    const selector = byName.get(name)?.selector
    path.push({ name, members: selector?.kind === 'groups' ? [...selector.groups, ...selector.except] : [], next: 0 })
  }
  enter(start)
  for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
    const member = top.members[top.next]
    top.next += 1
    if (member === undefined) {
      order.add(top.name)
      path.pop()
    } else if (!order.has(member)) enter(member)
  }
  return [...order]
}

function coversEverything(networks: readonly Prefix[]): boolean {
  const all = new Set<string>(networks)
  return all.has('0.0.0.0/0') && all.has('::/0')
}
