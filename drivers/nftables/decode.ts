/** `nft -j list table bridge hyperward_door` → what stands. */
import { known, unknown, type Observed } from '@hyperward/model'

import { closedCounter, doorChains, guardedSet } from './names.ts'

export interface DoorContent {
  readonly guarded: ReadonlySet<number>
  /** Dropped so far. */
  readonly packets: number
  readonly bytes: number
  /** Number of rules in each chain that drop; fewer than installed = not shut. */
  readonly rules: number
}

interface NftObject {
  readonly set?: { readonly name?: string; readonly elem?: readonly unknown[] }
  readonly counter?: { readonly name?: string; readonly packets?: number; readonly bytes?: number }
  readonly chain?: { readonly name?: string; readonly hook?: string }
  readonly rule?: { readonly expr?: readonly object[] }
}

/** nft names the devices that exist and gives the number of those that are gone: `indexOf` leads from a name back to its number. */
export function decodeDoor(json: string, indexOf: ReadonlyMap<string, number>): Observed<DoorContent> {
  let objects: readonly NftObject[]
  try {
    // nft's own output; each member is looked at before it is used
    objects = (JSON.parse(json) as { readonly nftables: readonly NftObject[] }).nftables
  } catch (cause) {
    return unknown(`nft's answer is no JSON: ${String(cause)}`)
  }
  const set = objects.find((object) => object.set?.name === guardedSet)?.set
  const counter = objects.find((object) => object.counter?.name === closedCounter)?.counter
  const hooks = new Set(objects.flatMap((object) => (object.chain?.hook === undefined ? [] : [object.chain.hook])))
  if (set === undefined || counter === undefined) return unknown('the door is not installed completely')
  if (doorChains.some((chain) => !hooks.has(chain))) return unknown('the door lacks a chain')
  const guarded = new Set<number>()
  for (const element of set.elem ?? []) {
    const index = typeof element === 'number' ? element : typeof element === 'string' ? toIndex(element, indexOf) : null
    if (index === null) return unknown(`a guarded device cannot be read: ${JSON.stringify(element)}`)
    guarded.add(index)
  }
  const rules = objects.filter((object) => object.rule?.expr?.some((expression) => 'drop' in expression)).length
  return known({ guarded, packets: counter.packets ?? 0, bytes: counter.bytes ?? 0, rules })
}

function toIndex(text: string, indexOf: ReadonlyMap<string, number>): number | null {
  return indexOf.get(text) ?? (/^\d+$/.test(text) ? Number(text) : null)
}

/** `ip -json link show` → number by name. */
export function decodeLinks(json: string): Observed<ReadonlyMap<string, number>> {
  try {
    // iproute2's own output
    const links = JSON.parse(json) as readonly { readonly ifname: string; readonly ifindex: number }[]
    return known(new Map(links.map((link) => [link.ifname, link.ifindex])))
  } catch (cause) {
    return unknown(`ip's answer is no JSON: ${String(cause)}`)
  }
}
