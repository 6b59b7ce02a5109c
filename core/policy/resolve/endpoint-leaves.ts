/** Which selectors of endpoints an endpoint meets, without asking each: those that want a label are found by that label. */
import type { Criterion, TenantName, Vm } from '@hyperward/model'

import { globMatches } from './glob-matches.ts'
import type { Leaf } from './leaf-table.ts'

export interface EndpointLeaves {
  /** A selector asks for the virtual network: endpoints of one VM may differ. */
  readonly bySegment: boolean
  /** Numbers of the leaves that an endpoint of a VM meets, ascending. */
  readonly match: (vm: Vm, segment: string | undefined) => readonly number[]
}

interface Candidate {
  readonly number: number
  readonly criteria: readonly Criterion[]
}

export function indexEndpointLeaves(leaves: readonly Leaf[]): (tenant: TenantName) => EndpointLeaves {
  const known = new Map<TenantName, EndpointLeaves>()
  return (tenant) => {
    const already = known.get(tenant)
    if (already !== undefined) return already
    const always: Candidate[] = []
    const byLabel = new Map<string, Candidate[]>()
    let bySegment = false
    for (const leaf of leaves) {
      if (leaf.kind !== 'endpoints') continue
      const { tenants, criteria } = leaf.selector
      if (tenants !== null && !tenants.includes(tenant)) continue
      if (criteria.some((one) => one.kind === 'segment')) bySegment = true
      const candidate = { number: leaf.number, criteria }
      const label = criteria.find((one) => one.kind === 'label' && !one.negated)
      if (label?.kind !== 'label') always.push(candidate)
      else {
        for (const value of label.values) {
          const key = labelKey(label.key, value)
          if (byLabel.get(key)?.push(candidate) === undefined) byLabel.set(key, [candidate])
        }
      }
    }
    const match = (vm: Vm, segment: string | undefined): readonly number[] => {
      const met = (one: Candidate): boolean => one.criteria.every((criterion) => meets(criterion, vm, segment))
      const found = always.filter(met).map((one) => one.number)
      for (const [key, value] of Object.entries(vm.labels))
        for (const one of byLabel.get(labelKey(key, value)) ?? []) if (met(one)) found.push(one.number)
      return found.sort((a, b) => a - b)
    }
    const made = { bySegment, match }
    known.set(tenant, made)
    return made
  }
}

/** Whether an endpoint meets one criterion. What is not known matches no pattern. */
export function meets(criterion: Criterion, vm: Vm, segment: string | undefined): boolean {
  switch (criterion.kind) {
    case 'label': {
      const { key, values, negated } = criterion
      return (Object.hasOwn(vm.labels, key) && values.includes(vm.labels[key] ?? '')) !== negated
    }
    case 'label-exists':
      return Object.hasOwn(vm.labels, criterion.key) !== criterion.negated
    case 'name':
    case 'os':
    case 'host':
    case 'segment': {
      const text = { name: vm.name, os: vm.os, host: vm.host, segment }[criterion.kind]
      return (text !== undefined && criterion.patterns.some((one) => globMatches(one, text))) !== criterion.negated
    }
  }
}

function labelKey(key: string, value: string): string {
  return `${key}\0${value}`
}
