import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { diff } from './diff.ts'
import { emptySkeleton, type Chain, type NftSet, type State } from './state.ts'

const names = ['one', 'two', 'three', 'four']
const rules = fc.array(fc.constantFrom('accept', 'drop', 'return'), { maxLength: 3 })
const elements = fc.option(fc.dictionary(fc.constantFrom('1', '2', '3', '4'), fc.constantFrom('', 'goto x', '5')))

/** Of an object its kind never changes: names are this driver's own. */
const states = fc
  .record({
    chains: fc.dictionary(fc.constantFrom(...names), rules),
    sets: fc.dictionary(fc.constantFrom(...names), elements),
    counters: fc.uniqueArray(fc.constantFrom(...names)),
  })
  .map(({ chains, sets, counters }): State => {
    const toChain = ([name, rule]: [string, string[]]): [string, Chain] => [
      `inet ${name}`,
      { hook: name === 'one' ? 'type filter hook forward priority 0; policy drop;' : null, rules: rule },
    ]
    const toSet = ([name, content]: [string, Record<string, string> | null]): [string, NftSet] => [
      `inet ${name}_s`,
      {
        kind: 'map',
        declaration: `type of ${name}`,
        interval: name === 'two',
        // what packets fill is so from the beginning
        elements: name === 'four' ? null : new Map(Object.entries(content ?? {})),
      },
    ]
    return {
      kind: 'state',
      chains: new Map(Object.entries(chains).map(toChain)),
      sets: new Map(Object.entries(sets).map(toSet)),
      counters: new Set(counters),
      limits: new Map(counters.map((name) => [`${name}_l`, 'rate 5/second'])),
    }
  })

/** nft as far as the driver speaks to it: what it refuses fails. */
function apply(before: State, lines: readonly string[]): State {
  const chains = new Map([...before.chains].map(([name, chain]) => [name, { ...chain, rules: [...chain.rules] }]))
  const sets = new Map(
    [...before.sets].map(([name, set]) => [name, { ...set, elements: set.elements && new Map(set.elements) }]),
  )
  const counters = new Set(before.counters)
  const limits = new Map(before.limits)
  for (const line of lines) {
    const words =
      /^(add|flush|delete) (table|chain|map|set|rule|element|counter|limit) (\w+) hyperward_endpoint ?(\w*) ?(.*)$/.exec(
        line,
      )
    if (words === null) throw new Error(`not understood: ${line}`)
    const [, verb = '', noun = '', family = '', name = '', rest = ''] = words
    const key = `${family} ${name}`
    const inner = rest.replace(/^\{ ?/, '').replace(/ ?\}$/, '')
    switch (`${verb} ${noun}`) {
      case 'add table':
        break
      case 'add chain':
        expect(chains.has(key)).toBe(false)
        chains.set(key, { hook: inner === '' ? null : inner, rules: [] })
        break
      case 'flush chain':
        expect(chains.has(key)).toBe(true)
        chains.set(key, { hook: chains.get(key)?.hook ?? null, rules: [] })
        break
      case 'delete chain':
        expect(chains.get(key)?.rules).toEqual([])
        chains.delete(key)
        break
      case 'add rule':
        chains.get(key)?.rules.push(rest)
        break
      case 'add map':
        expect(sets.has(key)).toBe(false)
        sets.set(key, {
          kind: 'map',
          declaration: inner,
          interval: inner === 'type of two',
          elements: inner === 'type of four' ? null : new Map(),
        })
        break
      case 'flush map':
        sets.get(key)?.elements?.clear()
        break
      case 'delete map':
        expect(sets.delete(key)).toBe(true)
        break
      case 'add element':
        for (const element of inner.split(', ')) {
          const [one = '', value = ''] = element.split(' : ')
          expect(sets.get(key)?.elements?.has(one)).toBe(false)
          sets.get(key)?.elements?.set(one, value)
        }
        break
      case 'delete element':
        for (const one of inner.split(', ')) expect(sets.get(key)?.elements?.delete(one)).toBe(true)
        break
      case 'add limit':
        limits.set(name, inner)
        break
      case 'delete limit':
        expect(limits.delete(name)).toBe(true)
        break
      case 'add counter':
        counters.add(name)
        break
      case 'delete counter':
        expect(counters.delete(name)).toBe(true)
        break
      default:
        throw new Error(`not understood: ${line}`)
    }
  }
  return { kind: 'state', chains, sets, counters, limits }
}

const empty: State = { kind: 'state', chains: new Map(), sets: new Map(), counters: new Set(), limits: new Map() }
const plain = (state: State): unknown => ({
  chains: Object.fromEntries(state.chains),
  sets: Object.fromEntries(
    [...state.sets].map(([name, set]) => [
      name,
      { ...set, elements: set.elements && Object.fromEntries(set.elements) },
    ]),
  ),
  counters: [...state.counters].toSorted(),
  limits: Object.fromEntries(state.limits),
})

test('a difference converges, and the next one is empty', () => {
  fc.assert(
    fc.property(states, states, (first, second) => {
      const stands = apply(apply(empty, diff(empty, first)), diff(first, second))
      expect(plain(stands)).toEqual(plain(second))
      expect(diff(second, second)).toEqual([])
    }),
  )
})

test('what an earlier process left is believed to be nothing but its names', () => {
  fc.assert(
    fc.property(states, states, (left, wanted) => {
      const skeleton = {
        kind: 'skeleton' as const,
        chains: new Set(left.chains.keys()),
        sets: new Map([...left.sets.keys()].map((name) => [name, 'map' as const])),
        counters: left.counters,
        limits: new Set(left.limits.keys()),
      }
      expect(plain(apply(left, diff(skeleton, wanted)))).toEqual(plain(wanted))
    }),
  )
})

test('no table is ever made anew or flushed, and only elements that differ are touched', () => {
  const of = (elements: Record<string, string>): State => ({
    ...empty,
    sets: new Map([
      ['inet m', { kind: 'map', declaration: 'd', interval: false, elements: new Map(Object.entries(elements)) }],
    ]),
  })
  expect(diff(of({ a: '1', b: '2', c: '3' }), of({ a: '1', b: '9', d: '4' })).slice(3)).toEqual([
    'delete element inet hyperward_endpoint m { b, c }',
    'add element inet hyperward_endpoint m { b : 9, d : 4 }',
  ])
  expect(diff(emptySkeleton, of({ a: '1' })).join('\n')).not.toMatch(/delete table|flush/)
})
