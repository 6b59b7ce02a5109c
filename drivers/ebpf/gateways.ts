/**
 * The gateways of this host in the kernel: their ports guarded, the rules that inspect told which gateways serve them, and their health, probed from end to end: a
 * frame sent into one port must come out of the other, both ways.
 */
import { randomBytes } from 'node:crypto'

import { known, unknown, type HostPlan, type Observed, type RuleRef } from '@hyperward/model'

import { createHooks } from './hooks.ts'
import type { Libbpf } from './libbpf.ts'
import type { Loaded } from './load.ts'
import type { Registry } from './registry.ts'
import { layout, renderKey } from './render.ts'

export interface GatewayPort {
  readonly device: string
  /** null = not there now. */
  readonly ifindex: number | null
}

export interface GatewayAttachment {
  readonly name: string
  /** What the originator of a connection sends goes in here. */
  readonly inside: GatewayPort
  readonly outside: GatewayPort
  /** Profiles it serves, qualified. */
  readonly profiles: readonly string[]
  /** Takes no new connection while another gateway could. */
  readonly draining: boolean
}

export interface Inspection {
  readonly gateways: readonly GatewayAttachment[]
  /** Profiles whose connections go on without inspection while no gateway serves them. */
  readonly failOpen: readonly string[]
}

export const noInspection: Inspection = { gateways: [], failOpen: [] }

export interface GatewayReport {
  readonly name: string
  readonly state: 'up' | 'down'
  readonly draining: boolean
  readonly reason: string | null
  /** Sent into it, come out of it and gone on, come out of it and dropped. */
  readonly packets: number
  readonly bytes: number
  readonly returned: number
  readonly refused: number
}

export interface Gateways {
  /** null, or why the kernel is not as wanted; a gateway that cannot be attached is no failure, it stays down. `taps`: of endpoints, which are never a gateway's. */
  apply(plan: HostPlan | null, inspection: Inspection, taps: ReadonlySet<number>): Promise<string | null>
  /** Ports of gateways, which are nobody's taps. */
  ports(): Observed<ReadonlySet<number>>
  /** Ports whose guard is not as it was left; the next apply puts it right. */
  drift(): readonly string[]
  /** Judges the probes sent by the last call and sends new ones. */
  probe(): Observed<readonly GatewayReport[]>
}

/** Rounds in a row without an answer that make a gateway down, and with one that make it up. */
const missesToDown = 4
const answersToUp = 2
/** A probe has at least this long to come through. */
const patienceMs = 50
const failOpenFlag = 1n
const gatewayCount = 64

interface Probed {
  sent: readonly [bigint, bigint] | null
  sentAt: number
  missed: number
  answered: number
  reason: string | null
}

export function createGateways(
  bpf: Libbpf,
  loaded: Loaded,
  rules: Registry<RuleRef>,
  names: Registry<string>,
): Gateways {
  const { maps, programs, capacity } = loaded
  const hooks = createHooks(bpf, loaded, { ingress: programs.from_gateway, egress: programs.to_gateway })
  const attached = new Set<number>()
  const probed = new Map<number, Probed>()
  let wanted: ReadonlyMap<number, GatewayAttachment> = new Map()
  let steered: Map<number, string> | null = null

  function ports(): Observed<ReadonlySet<number>> {
    const read = bpf.readAll(maps.gateway_ports, 4, 4, 2 * gatewayCount)
    if (typeof read === 'number') return unknown(`the ports of gateways cannot be read (errno ${-read})`)
    return known(new Set(Array.from({ length: read.count }, (_, i) => read.keys.readUInt32LE(i * 4))))
  }

  async function apply(
    plan: HostPlan | null,
    inspection: Inspection,
    taps: ReadonlySet<number>,
  ): Promise<string | null> {
    const next = new Map<number, GatewayAttachment>()
    for (const gateway of inspection.gateways) {
      const id = names.indexOf(gateway.name)
      if (id === 0) return `gateway ${gateway.name} has no place left: this host has seen ${gatewayCount - 1}`
      next.set(id, gateway)
    }
    const had = ports()
    if (!had.known) return had.reason
    const keep = new Set<number>()
    const usable = new Set<number>()
    for (const [id, gateway] of next) {
      const indexes = [gateway.inside.ifindex, gateway.outside.ifindex] as const
      const refused = await attach(id, gateway, indexes, keep, taps)
      const probe = probed.get(id) ?? { sent: null, sentAt: 0, missed: 0, answered: 0, reason: null }
      probed.set(id, { ...probe, reason: refused })
      const place = Buffer.alloc(layout.gateway.value)
      for (const [side, ifindex] of indexes.entries())
        place.writeUInt32LE(refused === null ? (ifindex ?? 0) : 0, side * 4)
      if (refused === null) usable.add(id)
      const before = Buffer.alloc(layout.gateway.value)
      // another gateway in its place has proved nothing yet
      if (bpf.lookup(maps.gateways, renderKey(id), before) < 0 || !before.equals(place)) {
        usable.delete(id)
        probed.set(id, { sent: null, sentAt: 0, missed: 0, answered: 0, reason: refused })
        if (bpf.update(maps.gateways, renderKey(id), place) < 0) return `gateway ${gateway.name} cannot be set`
      }
    }
    const members = toMembers(next)
    wanted = next
    const failed = setState((up) => up & bits(usable)) ?? setSteering(plan, inspection, members)
    if (failed !== null) return failed
    for (const ifindex of had.value) {
      if (keep.has(ifindex)) continue
      attached.delete(ifindex)
      const stays = await hooks.detach(ifindex)
      if (stays !== null) return stays
      bpf.remove(maps.gateway_ports, renderKey(ifindex))
    }
    for (const id of probed.keys()) if (!next.has(id)) probed.delete(id)
    return null
  }

  /** null, or why this gateway serves nobody. */
  async function attach(
    id: number,
    gateway: GatewayAttachment,
    indexes: readonly [number | null, number | null],
    keep: Set<number>,
    taps: ReadonlySet<number>,
  ): Promise<string | null> {
    for (const [side, ifindex] of indexes.entries()) {
      const { device } = side === 0 ? gateway.inside : gateway.outside
      if (ifindex === null) return `there is no interface ${device}`
      if (taps.has(ifindex)) return `${device} is an endpoint's tap`
      if (keep.has(ifindex)) return `${device} is the port of another gateway`
      keep.add(ifindex)
      if (bpf.update(maps.gateway_ports, renderKey(ifindex), renderKey((id << 1) | side)) < 0)
        return `${device} could not be remembered`
      if (attached.has(ifindex)) continue
      const refused = await hooks.attach(ifindex, device)
      if (refused !== null) return refused
      attached.add(ifindex)
    }
    return null
  }

  function setState(change: (up: bigint) => bigint): string | null {
    const value = Buffer.alloc(layout.gatewayState.value)
    if (bpf.lookup(maps.gateway_state, renderKey(0), value) < 0) return 'the state of gateways cannot be read'
    const draining = bits([...wanted].flatMap(([id, gateway]) => (gateway.draining ? [id] : [])))
    const next = Buffer.alloc(layout.gatewayState.value)
    next.writeBigUInt64LE(change(value.readBigUInt64LE(0)))
    next.writeBigUInt64LE(draining, 8)
    if (next.equals(value)) return null
    return bpf.update(maps.gateway_state, renderKey(0), next) < 0 ? 'the state of gateways cannot be set' : null
  }

  /** Rules are known to the kernel by their place in the counters, which is theirs forever. */
  function setSteering(
    plan: HostPlan | null,
    inspection: Inspection,
    members: ReadonlyMap<string, bigint>,
  ): string | null {
    if (steered === null) {
      const read = readSteering()
      if (typeof read === 'string') return read
      steered = read
    }
    const rows = new Map<number, string>()
    const open = new Set(inspection.failOpen)
    for (const rule of plan?.sections.rules ?? []) {
      if (rule.action !== 'inspect' || rule.profile === undefined) continue
      const index = rules.indexOf(rule.ref)
      // index 0 is shared by rules without a counter of their own: they stay closed
      if (index === 0) continue
      const value = Buffer.alloc(layout.steering.value)
      value.writeBigUInt64LE(members.get(rule.profile) ?? 0n)
      value.writeBigUInt64LE(open.has(rule.profile) ? failOpenFlag : 0n, 8)
      if (value.some((byte) => byte !== 0)) rows.set(index, value.toString('hex'))
    }
    // without a plan nothing is judged; what it said stays for the one that comes
    if (plan === null && inspection.gateways.length > 0) return null
    for (const index of steered.keys()) {
      if (rows.has(index)) continue
      if (bpf.update(maps.steering, renderKey(index), Buffer.alloc(layout.steering.value)) < 0)
        return 'a rule could not be told its gateways'
      steered.delete(index)
    }
    for (const [index, text] of rows) {
      if (steered.get(index) === text) continue
      if (bpf.update(maps.steering, renderKey(index), Buffer.from(text, 'hex')) < 0)
        return 'a rule could not be told its gateways'
      steered.set(index, text)
    }
    return null
  }

  function readSteering(): Map<number, string> | string {
    const { value: width } = layout.steering
    const read = bpf.readAll(maps.steering, 4, width, capacity.rules)
    if (typeof read === 'number') return `what rules are told of gateways cannot be read (errno ${-read})`
    const rows = new Map<number, string>()
    for (let i = 0; i < read.count; i += 1) {
      const value = read.values.subarray(i * width, (i + 1) * width)
      if (value.some((byte) => byte !== 0)) rows.set(read.keys.readUInt32LE(i * 4), value.toString('hex'))
    }
    return rows
  }

  function drift(): readonly string[] {
    const found: string[] = []
    for (const [, gateway] of wanted) {
      for (const { device, ifindex } of [gateway.inside, gateway.outside]) {
        if (ifindex === null || !attached.has(ifindex)) continue
        const differs = hooks.check(ifindex)
        if (differs === null) continue
        attached.delete(ifindex)
        found.push(`${device}: ${differs}`)
      }
    }
    steered = null
    return found
  }

  function probe(): Observed<readonly GatewayReport[]> {
    let up = 0n
    let down = 0n
    for (const [id, gateway] of wanted) {
      const probe = probed.get(id)
      if (probe === undefined) continue
      judgeProbe(id, probe)
      if (probe.reason !== null || probe.missed >= missesToDown) down |= 1n << BigInt(id)
      else if (probe.answered >= answersToUp) up |= 1n << BigInt(id)
      sendProbes(probe, gateway)
    }
    const failed = setState((was) => (was | up) & ~down)
    return failed === null ? report() : unknown(failed)
  }

  function judgeProbe(id: number, probe: Probed): void {
    if (probe.sent === null || performance.now() - probe.sentAt < patienceMs) return
    const seen = Buffer.alloc(layout.gatewaySeen.value)
    const read = bpf.lookup(maps.gateway_seen, renderKey(id), seen)
    const [inward, outward] = probe.sent
    const came = read >= 0 && seen.readBigUInt64LE(0) === inward && seen.readBigUInt64LE(8) === outward
    probe.sent = null
    probe.missed = came ? 0 : probe.missed + 1
    probe.answered = came ? probe.answered + 1 : 0
  }

  function sendProbes(probe: Probed, gateway: GatewayAttachment): void {
    if (probe.sent !== null || probe.reason !== null) return
    const numbers = [randomBytes(8).readBigUInt64BE(), randomBytes(8).readBigUInt64BE()] as const
    for (const [side, ifindex] of [gateway.inside.ifindex, gateway.outside.ifindex].entries()) {
      const frame = Buffer.alloc(60)
      // each side has its own address, so that the gateway learns where the other one is
      frame.write(side === 0 ? '02485700000b02485700000a' : '02485700000a02485700000b', 0, 'hex')
      frame.writeUInt16BE(0x88b5, 12)
      frame.writeBigUInt64BE(numbers[side === 0 ? 0 : 1], 14)
      frame.writeUInt32LE(ifindex ?? 0, 22)
      bpf.runOnFrame(programs.send_probe, frame)
    }
    probe.sent = numbers
    probe.sentAt = performance.now()
  }

  function report(): Observed<readonly GatewayReport[]> {
    const state = Buffer.alloc(layout.gatewayState.value)
    if (bpf.lookup(maps.gateway_state, renderKey(0), state) < 0) return unknown('the state of gateways cannot be read')
    const up = state.readBigUInt64LE(0)
    const reports: GatewayReport[] = []
    for (const [id, { name, draining }] of wanted) {
      const { value: width } = layout.gatewayCounter
      const counts = Buffer.alloc(width * bpf.possibleCpus)
      if (bpf.lookup(maps.gateway_counts, renderKey(id), counts) < 0)
        return unknown(`the counters of gateway ${name} cannot be read`)
      const sum = (at: number): number => {
        let total = 0n
        for (let cpu = 0; cpu < bpf.possibleCpus; cpu += 1) total += counts.readBigUInt64LE(cpu * width + at)
        return Number(total)
      }
      const isUp = ((up >> BigInt(id)) & 1n) === 1n
      const reason = isUp ? null : (probed.get(id)?.reason ?? 'no probe comes through')
      const told = { packets: sum(0), bytes: sum(8), returned: sum(16), refused: sum(24) }
      reports.push({ name, state: isUp ? 'up' : 'down', draining, reason, ...told })
    }
    return known(reports)
  }

  return { apply, ports, drift, probe }
}

function bits(ids: Iterable<number>): bigint {
  let all = 0n
  for (const id of ids) all |= 1n << BigInt(id)
  return all
}

function toMembers(gateways: ReadonlyMap<number, GatewayAttachment>): ReadonlyMap<string, bigint> {
  const members = new Map<string, bigint>()
  for (const [id, { profiles }] of gateways) {
    for (const profile of profiles) members.set(profile, (members.get(profile) ?? 0n) | (1n << BigInt(id)))
  }
  return members
}
