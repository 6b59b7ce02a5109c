/**
 * The endpoint driver for kernels that cannot run the eBPF one: keeps three nftables tables as plan and attachments want them. What is loaded stays loaded without it.
 * One process drives them in a network namespace; calls wait for each other.
 */
import { randomInt } from 'node:crypto'

import {
  dropReasons,
  known,
  type DropReason,
  toRuleRef,
  type Address,
  type DatapathEvent,
  type EndpointId,
  type HostName,
  type HostPlan,
  type Observed,
  type RuleCounter,
} from '@hyperward/model'

import { applyScript } from './apply.ts'
import { countRules, decodeCounted, decodeCounters, decodeElements, fingerprint } from './decode.ts'
import { toDesired, type Attachment, type Desired } from './desired.ts'
import { diff } from './diff.ts'
import { decodeEvent } from './events.ts'
import { openNflog, type NflogReader } from './nflog.ts'
import { makeBridgeCall, readLinks, type Link } from './links.ts'
import { epochs, table } from './names.ts'
import { listTables, observeSkeleton, observeTables, runNft } from './observe.ts'
import { createOutcomes } from './outcomes.ts'
import { compareElements, toRealized, type Realized } from './realized.ts'
import { counterName, render } from './render.ts'
import type { Skeleton, State } from './state.ts'

export interface NftablesDriverOptions {
  readonly host: HostName
  readonly now: () => Date
}

export interface EndpointReport {
  readonly endpoint: EndpointId
  readonly device: string
  readonly state: 'enforced' | 'closed'
  readonly reason: string | null
}

export interface ReconcileReport {
  readonly outcome: 'unchanged' | 'applied' | 'failed'
  readonly reason: string | null
  /** Lines of the transaction. */
  readonly steps: number
  readonly ms: number
  readonly endpoints: readonly EndpointReport[]
}

export interface EndpointDrops {
  readonly endpoint: EndpointId
  readonly reason: DropReason
  readonly packets: number
}

export interface NftablesDriver {
  /** Makes the kernel what plan and attachments say. null plan: every attachment is closed. What is no longer listed is let go. */
  reconcile(plan: HostPlan | null, attachments: readonly Attachment[]): Promise<ReconcileReport>
  /** Reads chains and sets back and compares them with what stood after the last reconcile. What differs is repaired by the next one. */
  verify(): Promise<Observed<{ readonly drift: readonly string[] }>>
  /** Reads all back and tells, endpoint by endpoint, what is not as the plan has it. Changes nothing. */
  inspect(plan: HostPlan | null, attachments: readonly Attachment[]): Promise<Observed<Realized>>
  readCounters(): Observed<readonly RuleCounter[]>
  /** Reads the counters that {@link readCounters} gives. */
  refreshCounters(): Promise<void>
  readDrops(): Promise<Observed<readonly EndpointDrops[]>>
  /** Gives each event told since the last call; the number is that of records read. Unknown where the kernel cannot tell (nfnetlink_log). */
  pollEvents(onEvent: (event: DatapathEvent) => void): Observed<number>
  /** Connections end by themselves; the counters are read here, as nobody waits for it. */
  collectExpired(): Observed<number>
  /** Frees what this process holds; what is loaded stays. */
  close(): void
  /** Takes our tables away. Returns how many there were; throws when nft refuses. */
  remove(): Promise<number>
}

export function createNftablesDriver(options: NftablesDriverOptions): NftablesDriver {
  const outcomes = createOutcomes()
  /** What stands; null = must be read first. */
  let current: State | null = null
  let desired: Desired | null = null
  let plan: HostPlan | null = null
  /** How nft tells our chains; null = not asked since they changed, as that takes nft long where sets are large. */
  let prints: ReadonlyMap<string, string> | null = null
  // one that no connection of an earlier process was judged under, but by a chance of one in 67 million
  let epoch = randomInt(1, epochs)
  let counters: readonly RuleCounter[] = []
  let refreshAt = 0
  let log: Observed<NflogReader> | null = null
  let queue: Promise<unknown> = Promise.resolve()

  function inTurn<T>(act: () => Promise<T>): Promise<T> {
    const result = queue.then(act)
    queue = result.catch(() => undefined)
    return result
  }

  async function reconcile(wantedPlan: HostPlan | null, attachments: readonly Attachment[]): Promise<ReconcileReport> {
    const begun = performance.now()
    const absent = new Map<number, string>()
    const report = (
      outcome: ReconcileReport['outcome'],
      reason: string | null,
      steps = 0,
      wanted?: Desired,
    ): ReconcileReport => ({
      outcome,
      reason,
      steps,
      ms: performance.now() - begun,
      endpoints: attachments.map(({ endpoint, device, ifindex }) => {
        const why = outcome === 'failed' ? reason : (absent.get(ifindex) ?? wanted?.closedBecause.get(ifindex) ?? null)
        return { endpoint, device, state: why === null ? 'enforced' : 'closed', reason: why }
      }),
    })
    const links = await readLinks()
    if (!links.known) return report('failed', links.reason)
    for (const { ifindex, device } of attachments) {
      if (links.value.get(device)?.ifindex !== ifindex) absent.set(ifindex, `${device} is gone`)
    }
    const wanted = toDesired(
      wantedPlan,
      attachments.filter(({ ifindex }) => !absent.has(ifindex)),
    )
    const bridged = await callFromBridges(wanted, links.value)
    if (bridged !== null) return report('failed', bridged)
    if (current !== null && diff(current, render(wanted, outcomes, epoch)).length === 0) {
      ;({ desired, plan } = { desired: wanted, plan: wantedPlan })
      return report('unchanged', null, 0, wanted)
    }
    epoch = epoch === epochs ? 1 : epoch + 1
    const state = render(wanted, outcomes, epoch)
    let failed: string | null = null
    // what stands may have changed under us (a device that went takes its chain along): then by what is read
    for (const from of current === null ? [null] : [current, null]) {
      const before = from ?? (await observed())
      if (typeof before === 'string') return report('failed', before)
      const lines = diff(before, state)
      failed = await applyScript(lines)
      if (failed !== null) {
        current = null
        continue
      }
      current = state
      desired = wanted
      plan = wantedPlan
      prints = null
      return report('applied', null, lines.length, wanted)
    }
    return report('failed', failed)
  }

  async function observed(): Promise<Skeleton | string> {
    const skeleton = await observeSkeleton()
    return skeleton.known ? skeleton.value : skeleton.reason
  }

  async function verify(): Promise<Observed<{ readonly drift: readonly string[] }>> {
    if (current === null) return known({ drift: [] })
    const listed = await listTables()
    if (!listed.known) return listed
    const drift: string[] = []
    const now = fingerprint(listed.value)
    const rules = countRules(listed.value)
    for (const [name, chain] of current.chains) {
      const changed = prints !== null && prints.get(name) !== now.get(name)
      if (changed || rules.get(name) !== chain.rules.length) drift.push(`chain ${name} differs`)
    }
    for (const name of now.keys()) if (!current.chains.has(name)) drift.push(`chain ${name} is not ours to have`)
    prints = now
    const links = await readLinks()
    if (!links.known) return links
    const elements = decodeElements(listed.value, toIndexes(links.value))
    for (const [name, set] of current.sets) {
      const found = elements.get(name)
      if (found === undefined) drift.push(`${set.kind} ${name} is gone`)
      else if (set.elements !== null && Object.values(compareElements(set.elements, found)).flat().length > 0)
        drift.push(`${set.kind} ${name} differs`)
    }
    if (desired !== null) drift.push(...(await silentBridges(desired)))
    if (drift.length > 0) current = null
    return known({ drift })
  }

  /** Of what is read now, whatever this process believes. */
  async function inspect(wantedPlan: HostPlan | null, attachments: readonly Attachment[]): Promise<Observed<Realized>> {
    const listed = await listTables()
    if (!listed.known) return listed
    const links = await readLinks()
    if (!links.known) return links
    const wanted = toDesired(wantedPlan, attachments)
    return known(
      toRealized(wanted, render(wanted, outcomes, epoch), {
        loaded: current,
        printsThen: prints,
        printsNow: fingerprint(listed.value),
        elements: decodeElements(listed.value, toIndexes(links.value)),
        rules: countRules(listed.value),
        silent: await silentBridges(wanted),
      }),
    )
  }

  async function refreshCounters(): Promise<void> {
    const sections = plan?.sections
    const listed = await runNft(['-j', 'list', 'counters', 'table', 'inet', table])
    if (!listed.known || sections === undefined) return
    const read = decodeCounters(listed.value)
    counters = sections.rules.flatMap(({ number, ref }) => {
      const count = read.get(counterName(number))
      return count === undefined ? [] : [{ rule: ref, ...count, hits: count.packets }]
    })
  }

  async function readDrops(): Promise<Observed<readonly EndpointDrops[]>> {
    const totals = new Map<string, EndpointDrops>()
    const links = await readLinks()
    if (!links.known) return links
    const ownerOf = new Map<string, EndpointId>()
    for (const port of desired?.ports ?? []) {
      ownerOf.set(String(port.ifindex), port.endpoint)
      ownerOf.set(port.device, port.endpoint)
      for (const address of port.addresses) ownerOf.set(address, port.endpoint)
    }
    for (const [family, name] of [
      ['netdev', 'drops'],
      ['bridge', 'drops'],
      ['inet', 'drops4'],
      ['inet', 'drops6'],
    ] as const) {
      const listed = await runNft(['-j', 'list', 'set', family, table, name])
      if (!listed.known) return listed
      for (const [[owner = '', number = ''], packets] of decodeCounted(listed.value, name)) {
        const endpoint = ownerOf.get(owner)
        const reason = reasons.get(Number(number))
        if (endpoint === undefined || reason === undefined) continue
        const key = `${endpoint} ${reason}`
        totals.set(key, { endpoint, reason, packets: packets + (totals.get(key)?.packets ?? 0) })
      }
    }
    return known([...totals.values()])
  }

  function pollEvents(onEvent: (event: DatapathEvent) => void): Observed<number> {
    log ??= openNflog()
    if (!log.known) return log
    const messages: Buffer[] = []
    const read = log.value.read((message) => messages.push(message))
    if (messages.length === 0) return read
    const ports = desired?.ports ?? []
    const at = new Map(ports.map((port) => [port.ifindex, port.endpoint]))
    const of = new Map<Address, EndpointId>(
      ports.flatMap((port) => port.addresses.map((address) => [address, port.endpoint])),
    )
    const context = {
      host: options.host,
      now: options.now(),
      outcomes,
      defaultRule: plan?.sections.rules.find((rule) => rule.number === 0)?.ref ?? builtinDrop,
      endpointAt: (ifindex: number) => at.get(ifindex) ?? null,
      endpointOf: (address: Address) => of.get(address) ?? null,
    }
    for (const message of messages) {
      const event = decodeEvent(message, context)
      if (event !== null) onEvent(event)
    }
    return read
  }

  return {
    reconcile: (wantedPlan, attachments) => inTurn(() => reconcile(wantedPlan, attachments)),
    verify: () => inTurn(verify),
    inspect: (wantedPlan, attachments) => inTurn(() => inspect(wantedPlan, attachments)),
    readCounters: () => known(counters),
    refreshCounters: () => inTurn(refreshCounters),
    readDrops: () => inTurn(readDrops),
    pollEvents,
    collectExpired() {
      const now = performance.now()
      // nft reads all its sets for it: no more than a fiftieth of a core
      if (now < refreshAt) return known(0)
      refreshAt = Number.POSITIVE_INFINITY
      void inTurn(refreshCounters).finally(() => (refreshAt = performance.now() + 50 * (performance.now() - now)))
      return known(0)
    },
    close() {
      if (log?.known === true) log.value.close()
      log = null
    },
    remove: () =>
      inTurn(async () => {
        const there = await observeTables()
        if (!there.known) throw new Error(there.reason)
        const failed = await applyScript(there.value.map((family) => `delete table ${family} ${table}`))
        if (failed !== null) throw new Error(failed)
        current = null
        return there.value.length
      }),
  }
}

const builtinDrop = toRuleRef('builtin', null, 'default', 'drop')

const reasons = new Map<number, DropReason>(
  // entries forgets the keys' type
  Object.entries(dropReasons).map(([name, number]) => [number, name as DropReason]),
)

/** null, or why a bridge of a guarded tap keeps its packets from inet. */
async function callFromBridges(desired: Desired, links: ReadonlyMap<string, Link>): Promise<string | null> {
  for (const bridge of silent(desired, links)) {
    const failed = await makeBridgeCall(bridge)
    if (failed !== null) return failed
  }
  return null
}

async function silentBridges(desired: Desired): Promise<readonly string[]> {
  const links = await readLinks()
  if (!links.known) return [links.reason]
  return silent(desired, links.value).map((bridge) => `${bridge} no longer hands its packets to conntrack`)
}

function silent({ bridges }: Desired, links: ReadonlyMap<string, Link>): readonly string[] {
  return [...links.values()].filter(({ ifindex, calls }) => bridges.has(ifindex) && !calls).map(({ device }) => device)
}

function toIndexes(links: ReadonlyMap<string, Link>): ReadonlyMap<string, number> {
  return new Map([...links].map(([name, { ifindex }]) => [name, ifindex]))
}
