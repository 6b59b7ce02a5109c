/** Who can reach whom, in the form of the API: the center tells it, and so does a CLI that has files and no center. The arrays are made for the caller. */
import type { GroupName, RuleRef } from '@hyperward/model'

import type { PartyNames } from '../symbolic/describe-parties.ts'
import type { ReachEntry } from './reach-of.ts'

export interface ToldPeers {
  readonly groups: string[]
  readonly vms: string[]
  readonly networks: string[]
  readonly world: boolean
  /** VMs left out of the list. */
  readonly more: number
}

export interface ToldReach {
  readonly addresses: string[]
  readonly peers: ToldPeers
  readonly anyBut: ToldPeers | null
  readonly peerAddresses: number
  readonly services: string[]
  readonly verdict: ReachEntry['verdict']
  readonly profile: GroupName | null
  readonly egress: RuleRef | null
  readonly ingress: RuleRef | null
}

export function tellReach(entry: ReachEntry, vmLimit: number): ToldReach {
  const { addresses, summary, services, verdict, profile, egress, ingress } = entry
  return {
    addresses: [...addresses],
    peers: tellPeers(summary, vmLimit),
    anyBut: summary.anyBut === null ? null : tellPeers(summary.anyBut, vmLimit),
    peerAddresses: summary.addresses,
    services: [...services.texts],
    verdict,
    profile,
    egress,
    ingress,
  }
}

function tellPeers({ groups, vms, networks, world }: PartyNames, vmLimit: number): ToldPeers {
  const more = Math.max(0, vms.length - vmLimit)
  return { groups: [...groups], vms: vms.slice(0, vmLimit), networks: [...networks], world, more }
}
