import type { Vm } from '@hyperward/model'

/** True when nothing that a plan depends on differs. Compares by content: an inventory read anew from a store has new objects throughout. */
export function sameVm(a: Vm, b: Vm): boolean {
  if (a === b) return true
  if (a.uuid !== b.uuid || a.name !== b.name || a.host !== b.host || a.movingTo !== b.movingTo) return false
  if (a.tenant !== b.tenant || a.os !== b.os) return false
  return sameLabels(a.labels, b.labels) && sameEndpoints(a.endpoints, b.endpoints)
}

function sameLabels(a: Vm['labels'], b: Vm['labels']): boolean {
  if (a === b) return true
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key])
}

function sameEndpoints(a: Vm['endpoints'], b: Vm['endpoints']): boolean {
  if (a === b) return true
  return (
    a.length === b.length &&
    a.every((endpoint, index) => {
      const other = b[index]
      return (
        other !== undefined &&
        endpoint.id === other.id &&
        endpoint.mac === other.mac &&
        endpoint.segment === other.segment &&
        endpoint.addresses.length === other.addresses.length &&
        endpoint.addresses.every((address, at) => address === other.addresses[at])
      )
    })
  )
}
