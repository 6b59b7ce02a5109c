import {
  type Direction,
  type HostPlan,
  type Inventory,
  type Packet,
  parseRevision,
  type Policy,
  type Vm,
} from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { parsePolicy } from '../parse/parse-policy.ts'
import { resolve } from '../resolve/resolve.ts'
import {
  arbitraryInventory,
  arbitraryPacket,
  arbitraryParts,
  arbitraryTenantRule,
  arbitraryWorld,
  toPolicyText,
} from '../testing/arbitrary-policy.ts'
import { ownerOf, referenceVerdict } from '../testing/reference-verdict.ts'
import { sha256 } from '../testing/sha256.ts'
import { type Compilation, compile } from './compile.ts'
import { lookupVerdict } from './lookup-verdict.ts'
import { parseHostPlan } from './parse-host-plan.ts'
import { cutSections, sectionNames } from './plan-sections.ts'
import { planText } from './plan-text.ts'

const seed = 20_260_401
const revision = parseRevision(1) ?? expect.fail()
const packets = fc.array(arbitraryPacket, { minLength: 40, maxLength: 40 })

function toPolicy(text: string): Policy {
  const parsed = parsePolicy(text, 'p.yaml')
  return parsed.ok ? parsed.value : expect.fail(JSON.stringify(parsed.diagnostics))
}

function compileAll(policy: Policy, inventory: Inventory): Compilation {
  return compile(resolve(policy, inventory), { revision, sha256 })
}

function planOf(plans: readonly HostPlan[], vm: Vm): HostPlan {
  return plans.find((plan) => plan.host === vm.host) ?? expect.fail('no plan of the host')
}

function sides(packet: Packet): readonly (readonly [Direction, Packet['source'], Packet['source']])[] {
  return [
    ['egress', packet.source, packet.destination],
    ['ingress', packet.destination, packet.source],
  ]
}

function expectSameAsReference(policy: Policy, inventory: Inventory, plans: readonly HostPlan[], packet: Packet): void {
  for (const [direction, local, peer] of sides(packet)) {
    const vm = ownerOf(inventory, local)
    const expected = referenceVerdict(policy, inventory, packet, direction)
    if (vm === null || expected === null) continue
    const found = lookupVerdict(planOf(plans, vm), direction, local, peer, packet.protocol, packet.port)
    const { action, rule, monitor } = found
    const got = { direction, packet, action, ref: rule.ref, ...(monitor === null ? {} : { monitor: monitor.ref }) }
    expect(got).toEqual({ direction, packet, ...expected })
  }
}

test('every packet gets from the compiled plan the verdict and the rule that a walk over the rules gives', () => {
  fc.assert(
    fc.property(arbitraryWorld, packets, ({ text, inventory }, list) => {
      const policy = toPolicy(text)
      const { plans } = compileAll(policy, inventory)
      for (const packet of list) expectSameAsReference(policy, inventory, plans, packet)
    }),
    { seed, numRuns: 400 },
  )
})

test('invariant 6: the same input gives the same bytes, whatever the order of the inventory', () => {
  fc.assert(
    fc.property(arbitraryWorld, ({ text, inventory }) => {
      const unique = { ...inventory, vms: inventory.vms }
      const shuffled = { hosts: [...unique.hosts].reverse(), vms: [...unique.vms].reverse() }
      const first = compileAll(toPolicy(text), unique).plans.map(planText)
      const second = compileAll(toPolicy(text), shuffled).plans.map(planText)
      expect(second).toEqual(first)
    }),
    { seed, numRuns: 100 },
  )
})

test('a plan compiled step by step along changes of the inventory has the bytes of one compiled at once', () => {
  fc.assert(
    fc.property(arbitraryParts, fc.array(arbitraryInventory, { minLength: 2, maxLength: 5 }), (parts, inventories) => {
      const policy = toPolicy(toPolicyText(parts))
      let last: Compilation | undefined
      for (const inventory of inventories) {
        const resolved = resolve(policy, inventory, last?.resolved)
        last = compile(resolved, { revision, sha256, ...(last === undefined ? {} : { previous: last }) })
        expect(last.plans.map(planText)).toEqual(compileAll(policy, inventory).plans.map(planText))
        expect(last.resolved.problems).toEqual(resolve(policy, inventory).problems)
      }
    }),
    { seed, numRuns: 150 },
  )
})

test('a plan compiled after another policy over the same VMs has the bytes of one compiled at once', () => {
  fc.assert(
    fc.property(fc.array(arbitraryParts, { minLength: 2, maxLength: 4 }), arbitraryInventory, (policies, inventory) => {
      let last: Compilation | undefined
      for (const parts of policies) {
        const policy = toPolicy(toPolicyText(parts))
        const resolved = resolve(policy, inventory, last?.resolved)
        last = compile(resolved, { revision, sha256, ...(last === undefined ? {} : { previous: last }) })
        const fresh = compileAll(policy, inventory)
        expect(last.plans.map(planText)).toEqual(fresh.plans.map(planText))
        expect(last.resolved.problems).toEqual(fresh.resolved.problems)
      }
    }),
    { seed, numRuns: 80 },
  )
})

test('whatever changes in whatever order, from whichever earlier state, the bytes are those of a plan compiled at once', () => {
  const step = fc.record({
    policy: fc.nat(2),
    // mostly one VM of what was there becomes another
    inventory: fc.option(arbitraryInventory, { freq: 3 }),
    swap: fc.tuple(fc.nat(), fc.nat()),
    from: fc.nat(),
  })
  const policies = fc.array(arbitraryParts, { minLength: 3, maxLength: 3 })
  fc.assert(
    fc.property(policies, arbitraryWorld, fc.array(step, { minLength: 3, maxLength: 8 }), (all, world, steps) => {
      const parsed = all.map((parts) => toPolicy(toPolicyText(parts)))
      const states: Compilation[] = []
      for (const { policy: number, inventory: other, swap, from } of steps) {
        const policy = parsed[number] ?? expect.fail()
        const last = states[from % Math.max(1, states.length)]
        const inventory = other ?? exchangeLabels(last?.resolved.inventory ?? world.inventory, swap)
        const resolved = resolve(policy, inventory, last?.resolved)
        const made = compile(resolved, { revision, sha256, ...(last === undefined ? {} : { previous: last }) })
        states.push(made)
        const fresh = compileAll(policy, inventory)
        expect(made.plans.map(planText)).toEqual(fresh.plans.map(planText))
        expect(made.plans.map(({ digest }) => digest)).toEqual(fresh.plans.map(({ digest }) => digest))
        expect(made.resolved.problems).toEqual(fresh.resolved.problems)
      }
    }),
    { seed, numRuns: 120 },
  )
})

/** One VM with the labels of another. */
function exchangeLabels(inventory: Inventory, [one, other]: readonly [number, number]): Inventory {
  const { vms } = inventory
  const labels = vms[other % Math.max(1, vms.length)]?.labels ?? {}
  return { ...inventory, vms: vms.map((vm, at) => (at === one % vms.length ? { ...vm, labels } : vm)) }
}

test('the chunks of a plan are those that an agent cuts from its text, and equal chunks of two hosts are one object', () => {
  fc.assert(
    fc.property(arbitraryWorld, ({ text, inventory }) => {
      const { plans, sections } = compileAll(toPolicy(text), inventory)
      const byDigest = new Map<string, unknown>()
      for (const plan of plans) {
        const cut = sections.get(plan.host) ?? expect.fail('a plan without sections')
        expect(cut).toEqual(cutSections(plan.sections, sha256))
        for (const name of sectionNames) {
          for (const chunk of cut[name].chunks) {
            if (name === 'endpoints' || name === 'zones') continue
            expect(byDigest.get(chunk.digest) ?? chunk).toBe(chunk)
            byDigest.set(chunk.digest, chunk)
          }
        }
      }
    }),
    { seed, numRuns: 100 },
  )
})

test('what a provider tier decides no tenant can widen, whatever it writes', () => {
  fc.assert(
    fc.property(arbitraryParts, arbitraryParts, arbitraryInventory, packets, (parts, others, inventory, list) => {
      // a provider's rule may name a tenant's group: the group is then the tenant's word, so only what else it writes is varied
      const tenants = parts.tenants.map((tenant, at) => {
        const { rules, exclusions, default: fallback } = others.tenants[at] ?? tenant
        return { ...tenant, rules, exclusions, default: fallback }
      })
      const [before, after] = [parts, { ...parts, tenants }].map(
        (one) => compileAll(toPolicy(toPolicyText(one)), inventory).plans,
      )
      for (const packet of list) {
        for (const [direction, local, peer] of sides(packet)) {
          const vm = ownerOf(inventory, local)
          if (vm === null) continue
          const [old, now] = [before, after].map((plans) => {
            const { action, rule } = lookupVerdict(
              planOf(plans ?? [], vm),
              direction,
              local,
              peer,
              packet.protocol,
              packet.port,
            )
            return { action, rule }
          })
          if (old?.rule.tier === 'emergency' || old?.rule.tier === 'platform') expect(now).toEqual(old)
        }
      }
    }),
    { seed, numRuns: 150 },
  )
})

test('invariant 1: a plan read back from its text is the plan, and needs nothing else to judge a packet', () => {
  fc.assert(
    fc.property(arbitraryWorld, ({ text, inventory }) => {
      for (const plan of compileAll(toPolicy(text), inventory).plans) {
        const parsed = parseHostPlan(planText(plan), sha256)
        expect(parsed).toEqual({ ok: true, plan })
      }
    }),
    { seed, numRuns: 100 },
  )
})

test('a rule more in one tenant changes no verdict that another tenant enforces', () => {
  fc.assert(
    fc.property(
      arbitraryParts,
      arbitraryTenantRule,
      fc.nat(5),
      arbitraryInventory,
      packets,
      (parts, rule, at, inventory, list) => {
        const [acme, ...others] = parts.tenants
        if (acme === undefined) return
        const rules = acme.rules.toSpliced(at, 0, rule)
        const more = { ...parts, tenants: [{ ...acme, rules }, ...others] }
        const before = compileAll(toPolicy(toPolicyText(parts)), inventory).plans
        const after = compileAll(toPolicy(toPolicyText(more)), inventory).plans
        for (const packet of list) {
          for (const [direction, local, peer] of sides(packet)) {
            const vm = ownerOf(inventory, local)
            if (vm === null || vm.tenant === 'acme') continue
            const [old, now] = [before, after].map((plans) => {
              const found = lookupVerdict(planOf(plans, vm), direction, local, peer, packet.protocol, packet.port)
              return [found.action, found.rule.ref]
            })
            expect(now).toEqual(old)
          }
        }
      },
    ),
    { seed, numRuns: 100 },
  )
})
