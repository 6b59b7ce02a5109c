/** What Neutron's API says of security groups (Networking API v2.0, "Security groups"), before anything is translated. */
import type { SourcePlace } from '@hyperward/model'

export interface SecurityGroup {
  readonly id: string
  readonly name: string
  readonly project: string | null
  readonly stateful: boolean
  readonly rules: readonly SecurityGroupRule[]
  readonly place: SourcePlace
}

export interface SecurityGroupRule {
  readonly id: string
  readonly description: string
  readonly direction: 'ingress' | 'egress'
  readonly ethertype: 'IPv4' | 'IPv6'
  /** Name or number as written; null = every protocol. */
  readonly protocol: string | null
  readonly portMin: number | null
  readonly portMax: number | null
  readonly remoteGroup: string | null
  readonly remoteAddressGroup: string | null
  readonly remotePrefix: string | null
  readonly place: SourcePlace
}
