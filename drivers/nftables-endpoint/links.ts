/** Devices of this network namespace, and the bridges' calls into inet: without them a bridge asks no conntrack and no chain of ours in inet. */
import { known, unknown, type Observed } from '@hyperward/model'
import { exec } from '@hyperward/os'

export interface Link {
  readonly ifindex: number
  readonly device: string
  /** Of a bridge: whether it hands IPv4 and IPv6 to inet's hooks. */
  readonly calls: boolean
}

interface IpLink {
  readonly ifindex: number
  readonly ifname: string
  readonly linkinfo?: {
    readonly info_data?: { readonly nf_call_iptables?: number; readonly nf_call_ip6tables?: number }
  }
}

/** By name. */
export async function readLinks(): Promise<Observed<ReadonlyMap<string, Link>>> {
  try {
    const { code, stdout, stderr } = await exec('ip', ['-json', '-details', 'link', 'show'])
    if (code !== 0) return unknown(`the devices cannot be read: ${stderr.trim()}`)
    // iproute2's own output
    const links = JSON.parse(stdout) as readonly IpLink[]
    return known(
      new Map(
        links.map(({ ifindex, ifname, linkinfo }) => {
          const data = linkinfo?.info_data
          const calls = data?.nf_call_iptables === 1 && data.nf_call_ip6tables === 1
          return [ifname, { ifindex, device: ifname, calls }]
        }),
      ),
    )
  } catch (cause) {
    return unknown(`the devices cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

/** null, or why not. Only this bridge's: the system-wide switch would change other people's bridges too. */
export async function makeBridgeCall(bridge: string): Promise<string | null> {
  const args = ['link', 'set', 'dev', bridge, 'type', 'bridge', 'nf_call_iptables', '1', 'nf_call_ip6tables', '1']
  const { code, stderr } = await exec('ip', args)
  return code === 0 ? null : `${bridge} does not hand its packets to conntrack: ${stderr.trim()}`
}
