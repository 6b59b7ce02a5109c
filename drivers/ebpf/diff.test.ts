/** The difference against a model of the kernel's tables: it converges, leaves foreign things alone, and no state on the way judges by a mixture. */
import {
  toIdentity,
  type Action,
  type Address,
  type AddressIdentity,
  type Direction,
  type Verdict,
} from '@hyperward/model'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import type { EndpointRow, Tables } from './desired.ts'
import { diff, isEmpty, verdictKey, type Difference } from './diff.ts'
import { address, endpointId, macOf, makePlan, ruleRef } from '@hyperward/datapath-testkit'

const pool = ['10.0.0.1', '10.0.0.2', 'fd00::1', 'fd00::2'].map(address)
const directions: readonly Direction[] = ['egress', 'ingress']
const actions: readonly Action[] = ['allow', 'drop', 'reject']
const small = fc.integer({ min: 1, max: 4 })

const tables: fc.Arbitrary<Tables> = fc
  .record({
    identities: fc.array(fc.option(small, { freq: 4 }), { minLength: pool.length, maxLength: pool.length }),
    owners: fc.array(fc.boolean(), { minLength: pool.length, maxLength: pool.length }),
    rows: fc.uniqueArray(
      fc.record({
        direction: fc.constantFrom(...directions),
        local: small,
        peer: fc.integer({ min: 0, max: 4 }),
        class: fc.integer({ min: 0, max: 1 }),
        action: fc.constantFrom(...actions),
        rule: fc.integer({ min: 0, max: 2 }),
        monitor: fc.option(fc.integer({ min: 1, max: 2 })),
      }),
      { selector: (row) => `${row.direction}/${row.local}/${row.peer}/${row.class}`, maxLength: 8 },
    ),
    network: fc.option(fc.integer({ min: 2, max: 4 })),
    logged: fc.integer({ min: 0, max: 12 }),
  })
  .map(({ identities, owners, rows, network, logged }) => ({
    addresses: pool.flatMap((one, i): AddressIdentity[] => {
      const identity = identities[i]
      return identity === null || identity === undefined ? [] : [{ address: one, identity: toIdentity(identity) }]
    }),
    owners: new Map(pool.flatMap((one, i) => (owners[i] === true && identities[i] !== null ? [[one, 100 + i]] : []))),
    networks:
      network === null ? [] : makePlan({ endpoints: [], networks: [['10.0.0.0/8', network]] }).sections.networks,
    services: [{ protocol: 6, from: 80, to: 80, class: 1 }],
    verdicts: rows.map(({ monitor, ...row }) => ({
      ...row,
      local: toIdentity(row.local),
      peer: toIdentity(row.peer),
      ...(monitor === null ? {} : { monitor }),
    })),
    rules: new Map(
      [0, 1, 2].map((i) => [i, { ref: ruleRef(`r${i}`), action: 'drop' as const, log: logged === i }] as const),
    ),
  }))

/** A small change of the same tables, so that steps in place are common. */
const pair: fc.Arbitrary<readonly [Tables, Tables]> = fc.oneof(
  fc.tuple(tables, tables),
  fc.tuple(tables, tables, fc.integer({ min: 0, max: 23 })).map(([before, other, what]): readonly [Tables, Tables] => {
    const [changed] = pool.slice(what % 4)
    const moved = other.addresses.filter((row) => row.address === changed)
    const rest = before.addresses.filter((row) => row.address !== changed)
    const identities = new Set([...rest, ...moved].map((row) => row.identity))
    const extra = other.verdicts.filter((row) => !before.verdicts.some((one) => verdictKey(one) === verdictKey(row)))
    const was = new Set(before.addresses.map((one) => one.identity))
    // rows for what comes into reach, for what goes out of it, or one of any kind
    const more = [
      extra.filter((row) => !was.has(row.local)),
      extra.filter((row) => was.has(row.local) && !identities.has(row.local)),
      extra.slice(0, 1),
    ][what % 3]
    const altered = before.verdicts.map((row) =>
      was.has(row.local) !== identities.has(row.local) ? { ...row, action: 'reject' as const } : row,
    )
    const kept =
      what % 2 === 0
        ? before.verdicts
        : what % 4 === 1
          ? altered
          : before.verdicts.filter((row) => identities.has(row.local))
    const owners = new Map([...before.owners].filter(([one]) => one !== changed))
    return [before, { ...before, owners, addresses: [...rest, ...moved], verdicts: [...kept, ...(more ?? [])] }]
  }),
)

test('a difference converges, and the next one is empty', () => {
  fc.assert(
    fc.property(pair, ([before, after]) => {
      const difference = diff({ tables: before, endpoints: new Map() }, { tables: after, endpoints: new Map() })
      const states = run(before, after, difference)
      const end = states.at(-1) ?? before
      expect(canonical(end)).toEqual(canonical(after))
      expect(isEmpty(diff({ tables: end, endpoints: new Map() }, { tables: after, endpoints: new Map() }))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})

test('no state on the way gives a packet a pair of verdicts that neither plan gives', () => {
  let inPlace = 0
  fc.assert(
    fc.property(pair, ([before, after]) => {
      const difference = diff({ tables: before, endpoints: new Map() }, { tables: after, endpoints: new Map() })
      if (difference.rebuild.length > 0) return
      inPlace += difference.steps.length > 0 ? 1 : 0
      for (const state of run(before, after, difference)) {
        for (const [source, destination, serviceClass] of packets()) {
          const allowed = [before, after].map((one) => judgePair(one, source, destination, serviceClass))
          expect(allowed).toContain(judgePair(state, source, destination, serviceClass))
        }
      }
    }),
    { numRuns: 3000 },
  )
  expect(inPlace).toBeGreaterThan(200)
})

test('one endpoint more is a step, not a new generation', () => {
  const endpoints = [1, 2, 3].map((number) => ({
    number,
    tenant: 'acme',
    identity: 10,
    addresses: [`10.0.0.${number}`, `fd00::${number}`],
    elsewhere: true,
  }))
  const plan = (count: number): Tables => ({
    ...makePlan({ endpoints: endpoints.slice(0, count) }).sections,
    owners: new Map(),
    rules: new Map(),
  })
  const difference = diff({ tables: plan(2), endpoints: new Map() }, { tables: plan(3), endpoints: new Map() })
  expect(difference.rebuild).toEqual([])
  expect(difference.steps.map((step) => step.kind)).toEqual(['set-address', 'set-address'])
})

test('another endpoint behind a tap is closed before its addresses change, and opened last', () => {
  const row = (number: number): EndpointRow => ({
    ifindex: 5,
    endpoint: endpointId(number),
    mac: macOf(number),
    zone: 1,
    segment: 0,
    closed: false,
  })
  const none = makePlan({ endpoints: [] }).sections
  const empty: Tables = { ...none, owners: new Map(), rules: new Map() }
  const difference = diff(
    { tables: empty, endpoints: new Map([[5, row(1)]]) },
    { tables: empty, endpoints: new Map([[5, row(2)]]) },
  )
  expect(difference.close).toEqual([{ kind: 'remove-endpoint', ifindex: 5 }])
  expect(difference.open).toEqual([{ kind: 'set-endpoint', row: row(2) }])
})

/** The states after each step; a rebuild is one state. */
function run(before: Tables, after: Tables, difference: Difference): Tables[] {
  const sections = difference.rebuild
  let state: Tables = {
    ...before,
    ...(sections.includes('addresses') ? { addresses: after.addresses, owners: after.owners } : {}),
    ...(sections.includes('networks') ? { networks: after.networks } : {}),
    ...(sections.includes('services') ? { services: after.services, rules: withDefault(before, after) } : {}),
  }
  if (sections.includes('verdicts')) state = { ...state, ...relabel(state, after) }
  const states = [state]
  for (const step of [...difference.steps, ...difference.clear]) {
    switch (step.kind) {
      case 'set-address': {
        const { row } = step
        const owners = new Map(state.owners)
        if (row.ifindex === 0) owners.delete(row.address)
        else owners.set(row.address, row.ifindex)
        state = { ...state, owners, addresses: [...state.addresses.filter((one) => one.address !== row.address), row] }
        break
      }
      case 'remove-address': {
        const owners = new Map(state.owners)
        owners.delete(step.address)
        state = { ...state, owners, addresses: state.addresses.filter((one) => one.address !== step.address) }
        break
      }
      case 'set-verdict': {
        const { verdict, label, monitor } = step.row
        const others = state.verdicts.filter((one) => verdictKey(one) !== verdictKey(verdict))
        const rule = state.rules.size
        const rules = new Map([...state.rules, [rule, label] as const])
        if (monitor !== null) rules.set(rule + 1, monitor)
        const row = { ...verdict, rule, ...(monitor === null ? {} : { monitor: rule + 1 }) }
        state = { ...state, rules, verdicts: [...others, row] }
        break
      }
      case 'remove-verdict':
        state = { ...state, verdicts: state.verdicts.filter((one) => verdictKey(one) !== verdictKey(step.verdict)) }
        break
    }
    states.push(state)
  }
  return states
}

function withDefault(before: Tables, after: Tables): Tables['rules'] {
  const label = after.rules.get(0)
  return label === undefined ? before.rules : new Map([...before.rules, [0, label] as const])
}

/** Rows bring their own labels; entry 0 stays the default of the services in force. */
function relabel(state: Tables, after: Tables): Pick<Tables, 'verdicts' | 'rules'> {
  const at = state.rules.size
  const rules = new Map([...state.rules, ...[...after.rules].map(([number, label]) => [number + at, label] as const)])
  const moved = (row: Verdict): Verdict => ({
    ...row,
    rule: row.rule + at,
    ...(row.monitor === undefined ? {} : { monitor: row.monitor + at }),
  })
  return { rules, verdicts: after.verdicts.map(moved) }
}

function canonical(state: Tables): unknown {
  const label = (row: Verdict): string =>
    `${state.rules.get(row.rule)?.ref} ${state.rules.get(row.rule)?.log} ${row.monitor === undefined ? 'none' : state.rules.get(row.monitor)?.ref}`
  return {
    addresses: state.addresses
      .map((row) => `${row.address}=${row.identity}@${state.owners.get(row.address) ?? 0}`)
      .sort(),
    networks: state.networks.map((row) => `${row.prefix}=${row.identity}`).sort(),
    verdicts: state.verdicts.map((row) => `${verdictKey(row)}=${row.action} ${label(row)}`).sort(),
    fallback: state.rules.get(0),
  }
}

function* packets(): Generator<readonly [Address, Address, number]> {
  for (const source of pool) {
    for (const destination of pool) {
      if (source === destination || source.includes(':') !== destination.includes(':')) continue
      yield [source, destination, 0]
      yield [source, destination, 1]
    }
  }
}

function judgePair(state: Tables, source: Address, destination: Address, serviceClass: number): string {
  return `${judge(state, 'egress', source, destination, serviceClass)} ${judge(state, 'ingress', destination, source, serviceClass)}`
}

function judge(state: Tables, direction: Direction, local: Address, peer: Address, serviceClass: number): string {
  const identityOf = (one: Address): number =>
    state.addresses.find((row) => row.address === one)?.identity ??
    (one.includes(':') ? 1 : (state.networks[0]?.identity ?? 1))
  const find = (peerIdentity: number, rowClass: number): Verdict | undefined =>
    state.verdicts.find(
      (row) =>
        row.direction === direction &&
        row.local === identityOf(local) &&
        row.peer === peerIdentity &&
        row.class === rowClass,
    )
  const row = find(identityOf(peer), serviceClass) ?? find(identityOf(peer), 0) ?? find(0, serviceClass) ?? find(0, 0)
  const label = state.rules.get(row?.rule ?? 0)
  return `${row?.action ?? 'drop'} ${label?.ref} ${label?.log}`
}
