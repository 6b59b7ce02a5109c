/** Whether this kernel and this nft can run the tables, asked before anything is loaded: nft checks them against the kernel and keeps nothing. */
import { existsSync } from 'node:fs'

import { known, unknown, type Observed } from '@hyperward/model'
import { exec } from '@hyperward/os'

import { toDesired } from './desired.ts'
import { diff } from './diff.ts'
import { epochs } from './names.ts'
import { createOutcomes } from './outcomes.ts'
import { render } from './render.ts'
import { emptySkeleton } from './state.ts'

export interface NftablesAbility {
  /** NF_CONNTRACK_BRIDGE. The tables do without, by br_netfilter. */
  readonly bridgeConntrack: boolean
}

export async function probeNftables(): Promise<Observed<NftablesAbility>> {
  if (!existsSync('/proc/sys/net/bridge/bridge-nf-call-iptables')) {
    return unknown(
      'the kernel lacks br_netfilter (CONFIG_BRIDGE_NETFILTER), or it is not loaded: modprobe br_netfilter',
    )
  }
  try {
    // the ingress hook of a tap, tried at the one device that is always there
    const hook = 'type filter hook ingress device "lo" priority -300; policy drop;'
    const refused = await check([
      ...diff(emptySkeleton, render(toDesired(null, []), createOutcomes(), epochs)),
      'add table netdev hyperward_probe',
      `add chain netdev hyperward_probe ingress { ${hook} }`,
    ])
    if (refused !== null) return unknown(`nft or the kernel lacks what the tables need: ${refused}`)
    const bridge = 'type filter hook prerouting priority 0;'
    const withoutConntrack = await check([
      'add table bridge hyperward_probe',
      `add chain bridge hyperward_probe first { ${bridge} }`,
      'add rule bridge hyperward_probe first ct state new accept',
    ])
    return known({ bridgeConntrack: withoutConntrack === null })
  } catch (cause) {
    return unknown(`nft cannot be run: ${cause instanceof Error ? cause.message : String(cause)}`)
  }
}

async function check(lines: readonly string[]): Promise<string | null> {
  const { code, stderr } = await exec('nft', ['--check', '-f', '-'], { input: `${lines.join('\n')}\n` })
  return code === 0 ? null : (stderr.trim().split('\n')[0] ?? 'no reason given')
}
