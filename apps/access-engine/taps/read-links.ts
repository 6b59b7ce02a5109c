/**
 * Network devices from sysfs. A sysfs mount shows the network namespace it was made in, which need not be ours: then its answers are about other devices. The
 * names in /proc/self/net/dev, which is always ours, tell.
 */
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

import { known, unknown, type Observed } from '@hyperward/model'

import type { TapLink } from './tap.ts'
import type { Link, LinkReader } from './to-taps.ts'

const root = '/sys/class/net'

// sysfs answers from memory within microseconds: a turn through the thread pool for each value costs ten times the reading

export const linkReader: LinkReader = { read: async (devices) => readLinks(devices) }

/** Whether the device of that name still is the one seen before. The kernel does not give an ifindex again while the machine runs. */
export async function isSameLink(link: TapLink): Promise<boolean> {
  try {
    return readNumber(`${root}/${link.device}/ifindex`) === link.ifindex
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

function readLinks(devices: readonly string[]): Observed<ReadonlyMap<string, Link>> {
  const links = new Map<string, Link>()
  if (devices.length === 0) return known(links)
  try {
    const ours = readOwnNames()
    const shown = new Set(readdirSync(root))
    for (const device of devices) {
      const here = ours.has(device)
      if (here !== shown.has(device)) {
        // one of the two was read before the device came or went, or sysfs is another namespace's: the next look tells
        if (isForeignSysfs()) return unknown(`${root} shows another network namespace`)
        continue
      }
      const link = here ? readLink(device) : null
      if (link !== null) links.set(device, link)
    }
  } catch (error) {
    return unknown(`the devices could not be read: ${toMessage(error)}`)
  }
  return known(links)
}

/** null: it is gone meanwhile. */
function readLink(device: string): Link | null {
  try {
    const path = `${root}/${device}`
    const mac = readFileSync(`${path}/address`, 'utf8').trim()
    return { device, ifindex: readNumber(`${path}/ifindex`), mac, segment: readBridge(device) }
  } catch (error) {
    if (isGone(error)) return null
    throw error
  }
}

/**
 * The segment within which direct delivery does what the bridge would: 0 where the bridge decides by more than the MAC (ports isolated from each other, VLANs).
 * Packets then take the bridge.
 */
function readBridge(device: string): number {
  try {
    const port = `${root}/${device}/brport`
    const bridge = basename(readlinkSync(`${port}/bridge`))
    const plain = readNumber(`${port}/isolated`) === 0 && !isVlanAware(bridge)
    return plain ? readNumber(`${root}/${bridge}/ifindex`) : 0
  } catch (error) {
    if (isGone(error)) return 0
    throw error
  }
}

/** A kernel built without VLAN filtering has no such file. */
function isVlanAware(bridge: string): boolean {
  const file = `${root}/${bridge}/bridge/vlan_filtering`
  return existsSync(file) && readNumber(file) !== 0
}

/** Also the guard against a name that is a path: only names of devices are in it. */
function readOwnNames(): ReadonlySet<string> {
  const lines = readFileSync('/proc/self/net/dev', 'utf8').split('\n').slice(2)
  return new Set(lines.flatMap((line) => (line.includes(':') ? [line.slice(0, line.lastIndexOf(':')).trim()] : [])))
}

/** Devices come and go one at a time; two namespaces differ in more than that for good. Looked at twice, so that a change in between is not taken for it. */
function isForeignSysfs(): boolean {
  for (let look = 0; look < 2; look++) {
    const ours = readOwnNames()
    const devices = readdirSync(root).filter((name) => name !== 'bonding_masters')
    if (devices.length === ours.size && devices.every((name) => ours.has(name))) return false
  }
  return true
}

function readNumber(path: string): number {
  const value = Number(readFileSync(path, 'utf8').trim())
  if (!Number.isSafeInteger(value)) throw new Error(`${path} holds no number`)
  return value
}

function toMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'EINVAL')
  )
}
