import { unknown, type Observed } from '@hyperward/model'
import { exec } from '@hyperward/os'

import { decodeDoor, decodeLinks, type DoorContent } from './decode.ts'
import { doorTable } from './names.ts'

/** What stands in the kernel. Not installed is unknown, with that reason: nothing is closed then, and nobody may believe it is. */
export async function observeDoor(): Promise<Observed<DoorContent>> {
  try {
    const listed = await exec('nft', ['-j', 'list', 'table', 'bridge', doorTable])
    if (listed.code !== 0) return unknown(`the door cannot be read: ${listed.stderr.trim()}`)
    // after the list: a device that came in between has a name that is not in the list
    const links = await exec('ip', ['-json', 'link', 'show'])
    if (links.code !== 0) return unknown(`the devices cannot be read: ${links.stderr.trim()}`)
    const indexOf = decodeLinks(links.stdout)
    return indexOf.known ? decodeDoor(listed.stdout, indexOf.value) : indexOf
  } catch (cause) {
    return unknown(`the door cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}
