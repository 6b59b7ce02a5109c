/** Service classes: values of (protocol, port or ICMP type) that no rule tells apart share one. What no rule names has class 0. */
import {
  type PortProtocol,
  portProtocols,
  type Rule,
  type Service,
  type ServiceClass,
  type TypeProtocol,
  typeProtocols,
} from '@hyperward/model'

import { assignNumbers } from './assign-numbers.ts'

export interface ServiceTable {
  readonly classes: readonly ServiceClass[]
  /** Classes of a service, ascending; null = every class, 0 included. */
  readonly classesOf: (service: Service) => readonly number[] | null
}

interface Piece {
  readonly protocol: number
  readonly from: number
  readonly to: number
  readonly signature: string
}

export function buildServiceTable(rules: readonly Rule[]): ServiceTable {
  const services = new Map<string, Extract<Service, { kind: 'some' }>>()
  for (const { service } of rules) if (service.kind === 'some') services.set(serviceKey(service), service)
  const keys = [...services.keys()].sort()
  const pieces = [...services.keys()].length === 0 ? [] : partition(keys, services)
  const numbers = assignNumbers(
    pieces.map((piece) => piece.signature),
    { first: 1, last: 65_535 },
  )
  const classes = mergeNeighbours(
    pieces.map(({ protocol, from, to, signature }) => ({ protocol, from, to, class: numbers.get(signature) ?? 0 })),
  )
  const byService = classesByService(pieces, numbers)
  return {
    classes,
    classesOf: (service) => {
      if (service.kind === 'any') return null
      const found = byService.get(serviceKey(service))
      if (found === undefined) throw new Error('a service outside the rules this table was built from')
      return found
    },
  }
}

export function serviceKey(service: Extract<Service, { kind: 'some' }>): string {
  return service.entries
    .map(({ protocol, ranges }) => `${protocol}:${ranges.map(({ from, to }) => `${from}-${to}`).join(',')}`)
    .join(';')
}

/** Cuts each protocol's values wherever a service begins or ends; a piece's signature names the services that cover it. */
function partition(
  keys: readonly string[],
  services: ReadonlyMap<string, Extract<Service, { kind: 'some' }>>,
): readonly Piece[] {
  const events = new Map<number, { readonly at: number; readonly key: string; readonly begins: boolean }[]>()
  for (const key of keys) {
    for (const { protocol, ranges } of services.get(key)?.entries ?? []) {
      const list = events.get(protocol) ?? []
      events.set(protocol, list)
      const whole = ranges.length === 0 ? [{ from: 0, to: highestValue(protocol) }] : ranges
      for (const { from, to } of whole) list.push({ at: from, key, begins: true }, { at: to + 1, key, begins: false })
    }
  }
  const pieces: Piece[] = []
  for (const [protocol, list] of [...events].sort(([a], [b]) => a - b)) {
    list.sort((a, b) => a.at - b.at)
    const open = new Set<string>()
    let from = 0
    for (const event of list) {
      if (event.at > from && open.size > 0) {
        pieces.push({ protocol, from, to: event.at - 1, signature: [...open].sort().join('\n') })
      }
      from = event.at
      if (event.begins) open.add(event.key)
      else open.delete(event.key)
    }
  }
  return pieces
}

function mergeNeighbours(pieces: readonly ServiceClass[]): readonly ServiceClass[] {
  const merged: ServiceClass[] = []
  for (const piece of pieces) {
    const last = merged.at(-1)
    if (last?.protocol === piece.protocol && last.class === piece.class && last.to + 1 === piece.from) {
      merged[merged.length - 1] = { ...last, to: piece.to }
    } else merged.push(piece)
  }
  return merged
}

function classesByService(
  pieces: readonly Piece[],
  numbers: ReadonlyMap<string, number>,
): ReadonlyMap<string, readonly number[]> {
  const found = new Map<string, Set<number>>()
  for (const { signature } of pieces) {
    for (const key of signature.split('\n')) {
      const set = found.get(key) ?? new Set<number>()
      found.set(key, set.add(numbers.get(signature) ?? 0))
    }
  }
  return new Map([...found].map(([key, set]) => [key, [...set].sort((a, b) => a - b)]))
}

const portNumbers: ReadonlySet<number> = new Set<number>(
  Object.values<(typeof portProtocols)[PortProtocol]>(portProtocols),
)
const typeNumbers: ReadonlySet<number> = new Set<number>(
  Object.values<(typeof typeProtocols)[TypeProtocol]>(typeProtocols),
)

/** Highest value that tells packets of a protocol apart: port, ICMP type, or nothing (0). */
export function highestValue(protocol: number): number {
  if (portNumbers.has(protocol)) return 65_535
  return typeNumbers.has(protocol) ? 255 : 0
}
