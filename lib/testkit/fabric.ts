import { addBridge, ipBatch } from './namespace-endpoint.ts'
import { execOk } from '@hyperward/os'

import { defaultCacheDir } from './cache-dir.ts'
import type { Lab } from './lab.ts'
import { createPseudoHost, type PseudoHost } from './pseudo-host.ts'

/** Hosts on one management network, joined by a VXLAN tenant fabric. */
export interface Fabric {
  /** Namespace at the hub of the management network; the center listens here. */
  readonly managementNetns: string
  /** Its address there: 10.99.0.1. */
  readonly managementAddress: string
  readonly hosts: readonly FabricHost[]
}

export interface FabricHost extends PseudoHost {
  /** 10.99.0.11 for the first host, and so on. */
  readonly managementAddress: string
}

export interface FabricOptions {
  /** Host names, at most 200. */
  readonly hosts: readonly string[]
  readonly cacheDir?: string
}

const managementNetwork = '10.99.0'

/** Makes the hosts at once: management veths (MTU 1600) to a hub, bridge br0 (MTU 1500) in each, VXLAN between all of them. */
export async function createFabric(lab: Lab, options: FabricOptions): Promise<Fabric> {
  const managementNetns = await lab.addNetns('mgmt')
  await addBridge(managementNetns, 'mgmt0')
  await ipBatch(managementNetns, [`addr add ${managementNetwork}.1/24 dev mgmt0`, 'link set mgmt0 mtu 1600'])
  const plans = options.hosts.map((name, index) => ({ name, index, address: `${managementNetwork}.${11 + index}` }))
  for (const { name, index, address } of plans) {
    const netns = await lab.addNetns(name)
    await ipBatch(netns, [
      `link add mgmt0 mtu 1600 type veth peer name h${index} mtu 1600 netns ${managementNetns}`,
      `addr add ${address}/24 dev mgmt0`,
      'link set mgmt0 up',
      `link add vxlan0 mtu 1500 type vxlan id 100 local ${address} dstport 4789`,
    ])
    await ipBatch(managementNetns, [`link set h${index} master mgmt0`, `link set h${index} up`])
    await addBridge(netns, 'br0')
    await ipBatch(netns, ['link set vxlan0 addrgenmode none', 'link set vxlan0 master br0', 'link set vxlan0 up'])
  }
  for (const { name, address } of plans) {
    const peers = plans.filter((one) => one.address !== address)
    // flood to every other host; where a MAC lives is learned from what arrives
    const entries = peers.map((peer) => `fdb append 00:00:00:00:00:00 dev vxlan0 dst ${peer.address}`)
    if (entries.length > 0) {
      await execOk('bridge', ['-n', `${lab.prefix}-${name}`, '-batch', '-'], { input: `${entries.join('\n')}\n` })
    }
  }
  const hosts = await Promise.all(
    plans.map(async ({ name, index, address }): Promise<FabricHost> => {
      const host = await createPseudoHost(lab, {
        name,
        uuid: `aaaaaaaa-0000-4000-8000-${String(index + 1).padStart(12, '0')}`,
        netns: `${lab.prefix}-${name}`,
        cacheDir: options.cacheDir ?? defaultCacheDir,
      })
      return { ...host, managementAddress: address }
    }),
  )
  return { managementNetns, managementAddress: `${managementNetwork}.1`, hosts }
}
