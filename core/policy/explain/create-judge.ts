/**
 * The verdict of many packets under one resolved policy, by its classes: addresses, endpoints and answers are each looked up once. For a packet at a time
 * with the reasons, see explain; a test holds the two together.
 */
import type { Action, Address, Direction, Packet } from '@hyperward/model'

import { type Answer, actionOf, answerOfPeer } from '../compile/answer.ts'
import { type LocalRules, selectLocalRules } from '../compile/local-rules.ts'
import type { IndexedRule } from '../resolve/policy-index.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'
import { combineVerdicts, type FlowVerdict } from './combine-verdicts.ts'

export interface JudgedSide {
  readonly direction: Direction
  readonly action: Action
  /** Null = the default drop. */
  readonly rule: IndexedRule | null
}

export interface Judgement {
  readonly verdict: FlowVerdict
  readonly sides: readonly JudgedSide[]
  /** What decided: of the side that refuses, else of the side whose action the verdict is, the destination's first. Null: the default drop, or nothing. */
  readonly decidedBy: IndexedRule | null
}

export function createJudge(resolved: ResolvedPolicy): (packet: Packet) => Judgement {
  const { index, records, classes, addresses } = resolved
  const byIdentity = new Map<number, IdentityClass>(classes.map((one) => [one.identity, one]))
  const bySignature = new Map(classes.map((one) => [one.signature, one]))
  const own = new Map(addresses.map(({ address, identity }) => [address, byIdentity.get(identity)]))
  const classOf = remember((address: Address): IdentityClass => {
    const outside = (): IdentityClass | undefined =>
      bySignature.get(records.signatures.toSignature(null, index.networks.leavesOf(address)))
    const found = own.get(address) ?? outside()
    if (found === undefined) throw new Error(`an address without a class: ${address}`)
    return found
  })
  const rulesOf = {
    egress: remember((local: IdentityClass) => selectLocalRules(index, local, 'egress')),
    ingress: remember((local: IdentityClass) => selectLocalRules(index, local, 'ingress')),
  }
  const answerOf = remember((local: LocalRules) => remember((peer: IdentityClass) => answerOfPeer(local, peer)))
  const toClass = createClassLookup(resolved)
  const ask = (direction: Direction, local: IdentityClass, peer: IdentityClass, service: number): JudgedSide[] => {
    if (local.signature.tenant === null) return []
    const answer: Answer = answerOf(rulesOf[direction](local))(peer)
    const decision = answer.byClass.get(service) ?? answer.rest
    return [{ direction, action: actionOf(decision), rule: decision.rule }]
  }
  return ({ source, destination, protocol, port }) => {
    const [from, to] = [classOf(source), classOf(destination)]
    const service = toClass(protocol, port ?? 0)
    const sides = [...ask('egress', from, to, service), ...ask('ingress', to, from, service)]
    const verdict = combineVerdicts(sides.map((side) => side.action))
    const refuses = sides.find((side) => side.action === verdict && (verdict === 'drop' || verdict === 'reject'))
    const decisive = refuses ?? sides.findLast((side) => side.action === verdict)
    return { verdict, sides, decidedBy: decisive?.rule ?? null }
  }
}

function createClassLookup({ index }: ResolvedPolicy): (protocol: number, port: number) => number {
  const byProtocol = Map.groupBy(index.services.classes, (entry) => entry.protocol)
  return (protocol, port) => byProtocol.get(protocol)?.find(({ from, to }) => from <= port && port <= to)?.class ?? 0
}

function remember<K, V>(make: (key: K) => V): (key: K) => V {
  const known = new Map<K, V>()
  return (key) => {
    const found = known.get(key)
    if (found !== undefined) return found
    const made = make(key)
    known.set(key, made)
    return made
  }
}
