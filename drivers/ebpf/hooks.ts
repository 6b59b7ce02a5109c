/**
 * Our two filters on a tap (or a gateway's port): attached, exchanged, taken away. A clsact is removed only when we made it and no filter of anybody else is left on it.
 */
import { known, unknown, type Observed } from '@hyperward/model'
import { exec } from '@hyperward/os'

import type { Libbpf, TcPlace } from './libbpf.ts'
import type { Loaded } from './load.ts'
import { filterHandle, filterPriority } from './names.ts'
import { layout, renderKey } from './render.ts'

export interface Hooks {
  /** null, or why the tap is not guarded by both programs. */
  attach(ifindex: number, device: string): Promise<string | null>
  /** Also when the device is gone. */
  detach(ifindex: number): Promise<string | null>
  /** null, or what differs from both programs being attached. */
  check(ifindex: number): string | null
  /** Taps that carry or carried our filters, from this process or an earlier one. */
  known(): Observed<readonly number[]>
}

const EEXIST = -17
const ENOENT = -2
const EINVAL = -22
const ENODEV = -19
const madeByUs = 1

/** `programs`: descriptors of what is attached to each direction. */
export function createHooks(
  bpf: Libbpf,
  loaded: Loaded,
  programs: Readonly<Record<TcPlace['direction'], number>>,
): Hooks {
  const places = (ifindex: number): readonly (TcPlace & { readonly fd: number })[] => [
    { ifindex, direction: 'ingress', fd: programs.ingress },
    { ifindex, direction: 'egress', fd: programs.egress },
  ]
  const ids = { ingress: bpf.programId(programs.ingress), egress: bpf.programId(programs.egress) }

  return {
    async attach(ifindex, device) {
      const made = bpf.createHook(ifindex)
      if (made < 0 && made !== EEXIST) return `no clsact on ${device} (errno ${-made}): ${bpf.takeLog()}`
      // a plain ingress qdisc also answers EEXIST, and would run both programs on what the VM sends
      if (made === EEXIST && !(await hasClsact(device))) return `${device} has an ingress qdisc that is no clsact`
      if (made === 0 && bpf.update(loaded.maps.hooks, renderKey(ifindex), renderKey(madeByUs)) < 0) {
        return `${device} could not be remembered`
      }
      if (made === EEXIST) bpf.update(loaded.maps.hooks, renderKey(ifindex), renderKey(0), 1)
      for (const place of places(ifindex)) {
        const result = bpf.attach(place, place.fd, filterHandle, filterPriority)
        if (result < 0) return `no filter on ${device} ${place.direction} (errno ${-result}): ${bpf.takeLog()}`
      }
      bpf.takeLog()
      return null
    },

    async detach(ifindex) {
      const device = bpf.deviceName(ifindex)
      if (device !== null) {
        for (const place of places(ifindex)) {
          const result = bpf.detach(place, filterHandle, filterPriority)
          if (result < 0 && result !== ENOENT && result !== EINVAL && result !== ENODEV) {
            return `filter on ${device} ${place.direction} stays (errno ${-result})`
          }
        }
        const made = Buffer.alloc(layout.hook.value)
        const remembered = bpf.lookup(loaded.maps.hooks, renderKey(ifindex), made)
        if (remembered >= 0 && made.readUInt32LE(0) === madeByUs && (await isUnused(device))) bpf.destroyHook(ifindex)
      }
      bpf.remove(loaded.maps.hooks, renderKey(ifindex))
      bpf.takeLog()
      return null
    },

    check(ifindex) {
      for (const place of places(ifindex)) {
        const found = bpf.query(place, filterHandle, filterPriority)
        if (found !== ids[place.direction]) {
          bpf.takeLog()
          return found <= 0 ? `no filter on ${place.direction}` : `another program on ${place.direction}`
        }
      }
      return null
    },

    known() {
      const read = bpf.readAll(loaded.maps.hooks, layout.hook.key, layout.hook.value, 8192)
      if (typeof read === 'number') return unknown(`the list of hooked taps cannot be read (errno ${-read})`)
      return known(Array.from({ length: read.count }, (_, i) => read.keys.readUInt32LE(i * layout.hook.key)))
    },
  }
}

async function hasClsact(device: string): Promise<boolean> {
  const { code, stdout } = await exec('tc', ['qdisc', 'show', 'dev', device])
  return code === 0 && /^qdisc clsact /m.test(stdout)
}

/** Unreadable is in use. */
async function isUnused(device: string): Promise<boolean> {
  for (const direction of ['ingress', 'egress']) {
    const { code, stdout } = await exec('tc', ['filter', 'show', 'dev', device, direction])
    if (code !== 0 || stdout.trim() !== '') return false
  }
  return true
}
