/** Who is meant, for a reader: `acme/web`, `any but provider/monitoring`, `acme/vm-1 10.0.0.0/8 outside`. */
import type { Text } from '../text.ts'

export interface ShownNames {
  readonly groups: readonly string[]
  readonly vms: readonly string[]
  readonly networks: readonly string[]
  readonly world: boolean
  /** VMs left out before. */
  readonly more?: number
}

export interface ShownParty extends ShownNames {
  readonly anyBut: ShownNames | null
}

const shownAtMost = 8

export function toPartyWords(text: Text, party: ShownParty): string {
  if (party.anyBut === null) return toNames(text, party)
  const names = toNames(text, party.anyBut)
  return names === '' ? text('cli.word.any') : text('cli.word.any-but', { names })
}

function toNames(text: Text, { groups, vms, networks, world, more = 0 }: ShownNames): string {
  const names = [
    // a provider's group begins with a slash
    ...groups.map((group) => group.replaceAll(/(^|[,( ])\//g, '$1provider/')),
    ...(world ? [text('cli.word.world')] : []),
    ...networks,
    ...vms,
  ]
  const left = Math.max(0, names.length - shownAtMost) + more
  return [...names.slice(0, shownAtMost), ...(left > 0 ? [text('cli.word.and-more', { n: left })] : [])].join(' ')
}
