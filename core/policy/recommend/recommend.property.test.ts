import { type FlowRecord, type Inventory, type Packet } from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { combineVerdicts } from '../explain/combine-verdicts.ts'
import { parsePolicy } from '../parse/parse-policy.ts'
import { createHolderLookup } from '../simulate/create-holder-lookup.ts'
import { arbitraryInventory, arbitraryPacket } from '../testing/arbitrary-inventory.ts'
import { referenceVerdict } from '../testing/reference-verdict.ts'
import { recommend, type RecommendOptions } from './recommend.ts'

/** Few services, so that ends share them and sets form. */
const services: readonly Pick<Packet, 'protocol' | 'port'>[] = [
  { protocol: 6, port: 80 },
  { protocol: 6, port: 81 },
  { protocol: 47 },
]
const service = fc.constantFrom(...services)

const flows: fc.Arbitrary<readonly FlowRecord[]> = fc.uniqueArray(
  fc
    .tuple(arbitraryPacket, service)
    .filter(([{ source, destination }]) => source.includes(':') === destination.includes(':'))
    .map(([{ source, destination }, rest]) => ({
      packet: { source, destination, ...rest },
      count: 3,
      refused: 0,
      first: '2026-11-01T00:00:00.000Z',
      last: '2026-11-02T00:00:00.000Z',
    })),
  { minLength: 20, maxLength: 40, selector: ({ packet }) => JSON.stringify(packet) },
)

test('every flow given is allowed by what is recommended, in either way', () => {
  fc.assert(
    fc.property(
      arbitraryInventory,
      flows,
      fc.constantFrom<RecommendOptions>({ generalize: 'exact' }, { generalize: 'group', share: 0.5 }),
      (inventory, seen, options) => {
        const { policy, text } = toPolicy(inventory, seen, options)
        for (const { packet } of seen.filter((flow) => isOurs(inventory, flow.packet))) {
          expect([text, packet, fate(policy, inventory, packet)]).toEqual([text, packet, 'allow'])
        }
      },
    ),
    { seed: 20_261_128, numRuns: 30 },
  )
})

test('exactly: between ends that were not seen to talk with a service, nothing is allowed', () => {
  fc.assert(
    fc.property(arbitraryInventory, flows, (inventory, seen) => {
      const { policy, text } = toPolicy(inventory, seen, { generalize: 'exact' })
      const endOf = createEnds(inventory)
      const key = ({ source, destination, protocol, port }: Packet): string =>
        [endOf(source), endOf(destination), protocol, port].join(' ')
      const allowed = new Set(seen.map(({ packet }) => key(packet)))
      const ends = [...new Set(seen.flatMap(({ packet }) => [packet.source, packet.destination]))]
      const all = [
        ...new Set([...ends, ...inventory.vms.flatMap((vm) => vm.endpoints.flatMap((one) => one.addresses))]),
      ]
      for (const source of all) {
        for (const destination of all) {
          if (endOf(source) === endOf(destination) || source.includes(':') !== destination.includes(':')) continue
          for (const { protocol, port } of services) {
            const packet: Packet = { source, destination, protocol, ...(port === undefined ? {} : { port }) }
            const verdict = fate(policy, inventory, packet)
            if (verdict === 'not-enforced') continue
            expect([text, packet, verdict === 'allow']).toEqual([text, packet, allowed.has(key(packet))])
          }
        }
      }
    }),
    { seed: 20_261_129, numRuns: 12 },
  )
})

test('generalized over all of a set, nobody talks who was not seen to talk with that service at all', () => {
  fc.assert(
    fc.property(arbitraryInventory, flows, (inventory, seen) => {
      const { policy, text } = toPolicy(inventory, seen, { generalize: 'group', share: 1 })
      const endOf = createEnds(inventory)
      const own = inventory.vms.flatMap((vm) => vm.endpoints.flatMap((one) => one.addresses))
      for (const source of own) {
        for (const destination of own) {
          if (endOf(source) === endOf(destination) || source.includes(':') !== destination.includes(':')) continue
          for (const { protocol, port } of services) {
            const packet: Packet = { source, destination, protocol, ...(port === undefined ? {} : { port }) }
            if (fate(policy, inventory, packet) !== 'allow') continue
            const same = seen.filter((flow) => flow.packet.protocol === protocol && flow.packet.port === port)
            const talked = same.some((flow) => endOf(flow.packet.source) === endOf(source))
            const answered = same.some((flow) => endOf(flow.packet.destination) === endOf(destination))
            expect([text, packet, talked && answered]).toEqual([text, packet, true])
          }
        }
      }
    }),
    { seed: 20_261_130, numRuns: 20 },
  )
})

function toPolicy(inventory: Inventory, seen: readonly FlowRecord[], options: RecommendOptions) {
  const { text } = recommend(inventory, seen, options)
  const parsed = parsePolicy(text, 'recommended.yaml')
  return parsed.ok ? { policy: parsed.value, text } : expect.fail(`${JSON.stringify(parsed.diagnostics)}\n${text}`)
}

function createEnds(inventory: Inventory): (address: Packet['source']) => string {
  const holderOf = createHolderLookup(inventory)
  return (address) => holderOf(address)?.vm.uuid ?? address
}

function isOurs(inventory: Inventory, { source, destination }: Packet): boolean {
  const holderOf = createHolderLookup(inventory)
  const [from, to] = [holderOf(source), holderOf(destination)]
  return (from !== null || to !== null) && from?.vm !== to?.vm
}

function fate(policy: Parameters<typeof referenceVerdict>[0], inventory: Inventory, packet: Packet): string {
  const sides = [
    referenceVerdict(policy, inventory, packet, 'egress'),
    referenceVerdict(policy, inventory, packet, 'ingress'),
  ]
  return combineVerdicts(sides.flatMap((side) => (side === null ? [] : [side.action])))
}
