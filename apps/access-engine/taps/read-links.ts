/**
 * Network devices from sysfs. A sysfs mount shows the network namespace it was made in, which need not be ours: then its answers are about other devices. The
 * names in /proc/self/net/dev, which is always ours, tell.
 */
import { readdir, readFile, readlink } from 'node:fs/promises'
import { basename } from 'node:path'

import { known, unknown, type Observed } from '@hyperward/model'

import type { TapLink } from './tap.ts'
import type { Link, LinkReader } from './to-taps.ts'

const root = '/sys/class/net'

export const linkReader: LinkReader = { read: readLink }

/** Whether the device of that name still is the one seen before. The kernel does not give an ifindex again while the machine runs. */
export async function isSameLink(link: TapLink): Promise<boolean> {
  try {
    return (await readNumber(`${root}/${link.device}/ifindex`)) === link.ifindex
  } catch (error) {
    if (isGone(error)) return false
    throw error
  }
}

async function readLink(device: string): Promise<Observed<Link | null>> {
  if (device === '' || device.includes('/') || device.startsWith('.')) return known(null)
  try {
    const [ours, shown] = await Promise.all([readOwnNames(), readdir(root)])
    const here = ours.has(device)
    if (here !== shown.includes(device)) {
      // one of the two was read before the device came or went, or sysfs is another namespace's: the next look tells
      return (await isForeignSysfs()) ? unknown(`${root} shows another network namespace`) : known(null)
    }
    if (!here) return known(null)
    const [ifindex, mac, segment] = await Promise.all([
      readNumber(`${root}/${device}/ifindex`),
      readFile(`${root}/${device}/address`, 'utf8'),
      readBridge(device),
    ])
    return known({ device, ifindex, mac: mac.trim(), segment })
  } catch (error) {
    if (isGone(error)) return known(null)
    return unknown(`${device} could not be read: ${error instanceof Error ? error.message : String(error)}`)
  }
}

async function readBridge(device: string): Promise<number> {
  try {
    const bridge = basename(await readlink(`${root}/${device}/brport/bridge`))
    return await readNumber(`${root}/${bridge}/ifindex`)
  } catch (error) {
    if (isGone(error)) return 0
    throw error
  }
}

async function readOwnNames(): Promise<ReadonlySet<string>> {
  const lines = (await readFile('/proc/self/net/dev', 'utf8')).split('\n').slice(2)
  return new Set(lines.flatMap((line) => (line.includes(':') ? [line.slice(0, line.lastIndexOf(':')).trim()] : [])))
}

/** Devices come and go one at a time; two namespaces differ in more than that for good. Looked at twice, so that a change in between is not taken for it. */
async function isForeignSysfs(): Promise<boolean> {
  for (let look = 0; look < 2; look++) {
    const [ours, shown] = await Promise.all([readOwnNames(), readdir(root)])
    const devices = shown.filter((name) => name !== 'bonding_masters')
    if (devices.length === ours.size && devices.every((name) => ours.has(name))) return false
  }
  return true
}

async function readNumber(path: string): Promise<number> {
  const value = Number((await readFile(path, 'utf8')).trim())
  if (!Number.isSafeInteger(value)) throw new Error(`${path} holds no number`)
  return value
}

function isGone(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ENOENT' || error.code === 'ENODEV' || error.code === 'EINVAL')
  )
}
