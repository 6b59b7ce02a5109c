/**
 * A host that is gone does not keep its VMs for ever: when it was not connected for some time and another host reports one of them, the claim of the
 * silent one ends, as if it had let the VM go. When it is back and reports the VM again, it comes behind the other.
 */
import { dropClaim, readHosts } from '@hyperward/store'

import { tellMoves } from './recorder.ts'
import type { Services } from './services.ts'

export const silentMs = 5 * 60_000

export async function lapseClaims(
  services: Pick<Services, 'store' | 'inventory' | 'registry' | 'publisher' | 'recorder' | 'clock' | 'startedAt'>,
): Promise<void> {
  const { store, inventory, registry, publisher, recorder, clock, startedAt } = services
  const contested = inventory.contests().filter((each) => each.kind === 'vm')
  if (contested.length === 0) return
  const connected = registry.connected()
  const before = clock().getTime() - silentMs
  // the center may have been off: hosts get their time to come back
  if (startedAt.getTime() > before) return
  const seen = new Map((await readHosts(store)).map((row) => [row.name, row.last_seen_at?.getTime() ?? 0]))
  for (const { claim, holder, others } of contested) {
    const isSilent = !connected.has(holder) && (seen.get(holder) ?? 0) <= before
    if (!isSilent || !others.some((host) => connected.has(host))) continue
    const uuid = claim.slice('vm '.length)
    await dropClaim(store, holder, uuid)
    await tellMoves(recorder, inventory.dropClaim(holder, uuid))
  }
  publisher.onInventoryChange()
}
