/** From what a bridge holds to what it should: messages of one bundle, in an order in which no flow names a group that is not there. */
import type { ObservedFlow, ObservedGroup } from './decode.ts'
import type { Desired, Flow, Group } from './desired.ts'
import { isOwnGroup, ownCookie } from './names.ts'
import { renderBuckets, renderInstructions, renderMatch } from './render.ts'

export type Step =
  | { readonly kind: 'group'; readonly command: 'add' | 'modify' | 'delete'; readonly group: Group }
  | { readonly kind: 'add-flow'; readonly flow: Flow }
  | { readonly kind: 'remove-flow'; readonly observed: ObservedFlow }

export interface Current {
  readonly flows: readonly ObservedFlow[]
  readonly groups: readonly ObservedGroup[]
}

/** A flow of somebody else stands exactly where one of ours would: it is not overwritten. */
export interface Conflict {
  readonly conflict: string
}

export function diff(current: Current, desired: Desired): readonly Step[] | Conflict {
  const steps: Step[] = []
  const groups = new Map(current.groups.filter(({ id }) => isOwnGroup(id)).map((group) => [group.id, group]))
  for (const group of desired.groups) {
    const there = groups.get(group.id)
    groups.delete(group.id)
    if (there === undefined) steps.push({ kind: 'group', command: 'add', group })
    else if (there.buckets !== renderBuckets(group.buckets).toString('hex'))
      steps.push({ kind: 'group', command: 'modify', group })
  }
  const flows = new Map(current.flows.map((flow) => [keyOf(flow), flow]))
  const wanted = new Set<string>()
  for (const flow of desired.flows) {
    const key = keyOf({ ...flow, match: renderMatch(flow).toString('hex') })
    const there = flows.get(key)
    wanted.add(key)
    if (there !== undefined && there.cookie !== ownCookie)
      return { conflict: `table ${flow.table} has another flow of priority ${flow.priority} with the same match` }
    if (there === undefined || there.instructions !== renderInstructions(flow.target).toString('hex'))
      steps.push({ kind: 'add-flow', flow })
  }
  for (const [key, observed] of flows) {
    if (observed.cookie === ownCookie && !wanted.has(key)) steps.push({ kind: 'remove-flow', observed })
  }
  for (const { id } of groups.values()) steps.push({ kind: 'group', command: 'delete', group: { id, buckets: [] } })
  return steps
}

function keyOf(flow: Pick<ObservedFlow, 'table' | 'priority' | 'match'>): string {
  return `${flow.table} ${flow.priority} ${flow.match}`
}
