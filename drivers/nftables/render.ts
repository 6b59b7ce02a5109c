/**
 * The closed door as nft text. Frames from or to a device that is a tap by its kind, or is named like a VM's, and whose ifindex is not among the guarded ones,
 * are dropped; those from it before the bridge learns their MAC, so that an unguarded tap cannot draw another's traffic.
 * The set is asked first: it is exact and costs the same however many taps there are, and only what is not in it has its name compared.
 * An ifindex is not given again when a device is made again under the same name: a new vnet0 is closed.
 */
import { closedCounter, doorChains, doorTable, guardedSet, guardedSize, type DoorChain } from './names.ts'

/** What nft accepts as an interface name or the start of one; a user's text never reaches the script otherwise. */
const patternSyntax = /^[A-Za-z][A-Za-z0-9_.-]{0,13}\*?$/

const directions: Readonly<Record<DoorChain, readonly ('iif' | 'oif')[]>> = {
  prerouting: ['iif'],
  forward: ['oif'],
  output: ['oif'],
}

/** One transaction: makes what is missing, replaces the rules, keeps the set's members and the counter. Throws on a pattern that is no device name. */
export function renderInstall(tapPatterns: readonly string[]): string {
  for (const pattern of tapPatterns) {
    if (!patternSyntax.test(pattern)) throw new Error(`not a pattern of device names: ${JSON.stringify(pattern)}`)
  }
  if (tapPatterns.length === 0) throw new Error('without a pattern no tap is closed')
  const names = [...tapPatterns].sort().map((pattern) => `"${pattern}"`)
  const lines = [
    `add table bridge ${doorTable}`,
    `add set bridge ${doorTable} ${guardedSet} { type iface_index; size ${guardedSize}; }`,
    `add counter bridge ${doorTable} ${closedCounter}`,
  ]
  for (const chain of doorChains) {
    // before other people's filters: what they accept or count should have come through the door
    lines.push(`add chain bridge ${doorTable} ${chain} { type filter hook ${chain} priority -350; policy accept; }`)
    lines.push(`flush chain bridge ${doorTable} ${chain}`)
    for (const key of directions[chain]) {
      for (const tap of [`${key}name { ${names.join(', ')} }`, `meta ${key}kind "tun"`]) {
        const match = `${key} != @${guardedSet} ${tap}`
        lines.push(`add rule bridge ${doorTable} ${chain} ${match} counter name ${closedCounter} drop`)
      }
    }
  }
  return `${lines.join('\n')}\n`
}

export function renderOpen(ifindex: number): string {
  return `add element bridge ${doorTable} ${guardedSet} { ${element(ifindex)} }\n`
}

/** Adding first makes the removal of what is not there no error. */
export function renderClose(ifindexes: readonly number[]): string {
  const elements = ifindexes.map(element).join(', ')
  return ['add', 'delete'].map((verb) => `${verb} element bridge ${doorTable} ${guardedSet} { ${elements} }\n`).join('')
}

function element(ifindex: number): string {
  if (!Number.isInteger(ifindex) || ifindex < 1 || ifindex > 0x7fff_ffff) throw new Error(`not an ifindex: ${ifindex}`)
  return String(ifindex)
}
