/**
 * A host with a plain Linux bridge and two endpoints, in three network namespaces: endpoint n is `eth0` of its own namespace, and `tap<n>` (a veth, as
 * the VM's tap would be) on the host's bridge. All names start with `hwb-`; whatever has that prefix is ours, and is removed at start and end.
 */
import { readdirSync } from 'node:fs'

import { execOk, readProcessIdentity, stopProcess } from '@hyperward/os'

import { deniedPort, measuredPort, receiverEndpoint, senderEndpoint, type BenchEndpoint } from './endpoints.ts'

const prefix = 'hwb-'
const endpoints = [senderEndpoint, receiverEndpoint]

export interface Lab {
  readonly hostNetns: string
  readonly senderNetns: string
  readonly receiverNetns: string
}

export interface SinkCounts {
  readonly allowed: number
  readonly denied: number
  readonly replies: number
}

/** `bridgeNetfilter`: whether bridged packets pass iptables (net.bridge.bridge-nf-call-iptables), which the iptables shapes need and cost. */
export async function createLab(name: string, bridgeNetfilter: boolean): Promise<Lab> {
  const lab = toLab(name)
  await removeLab(lab)
  for (const netns of namespacesOf(lab)) await execOk('ip', ['netns', 'add', netns])
  const host = lab.hostNetns
  const links = endpoints.flatMap((endpoint) => [
    `link add ${endpoint.device} type veth peer name eth0 netns ${endpointNetns(lab, endpoint)}`,
    `link set ${endpoint.device} addrgenmode none`,
  ])
  await execOk('ip', ['-batch', '-'], {
    netns: host,
    input: [
      'link set lo up',
      // fixed aging and no learning surprises: the forwarding entries below are static
      'link add br0 type bridge stp_state 0 mcast_snooping 0',
      'link set br0 addrgenmode none',
      ...links,
      ...endpoints.map((endpoint) => `link set ${endpoint.device} master br0 up`),
      'link set br0 up',
      '',
    ].join('\n'),
  })
  const call = bridgeNetfilter ? 1 : 0
  const sysctls = ['iptables', 'ip6tables', 'arptables'].map((table) => `net.bridge.bridge-nf-call-${table}=${call}`)
  await execOk('sysctl', ['-qw', ...sysctls], { netns: host })
  for (const endpoint of endpoints) {
    const netns = endpointNetns(lab, endpoint)
    await execOk('ip', ['-batch', '-'], {
      netns,
      input: `link set eth0 addrgenmode none\nlink set eth0 address ${endpoint.mac} up\n`,
    })
    // without it the bridge floods unknown destinations, which costs about 0.6 µs a packet
    await execOk('bridge', ['fdb', 'replace', endpoint.mac, 'dev', endpoint.device, 'master', 'static'], {
      netns: host,
    })
    await execOk('nft', ['-f', '-'], { netns, input: renderSink() })
  }
  return lab
}

export async function removeLab(lab: Lab): Promise<void> {
  for (const netns of namespacesOf(lab)) await removeNamespace(netns)
}

/** Every namespace of our prefix, whoever made it. */
export async function removeLeftovers(): Promise<void> {
  for (const netns of listNamespaces()) if (netns.startsWith(prefix)) await removeNamespace(netns)
}

/** What arrived at an endpoint so far, by destination port; replies by source port. */
export async function readSink(netns: string): Promise<SinkCounts> {
  const { stdout } = await execOk('nft', ['list', 'counters', 'table', 'netdev', 'sink'], { netns })
  const count = (name: string): number => {
    const packets = new RegExp(`counter ${name} \\{\\s*packets (\\d+)`).exec(stdout)?.[1]
    if (packets === undefined) throw new Error(`no counter ${name} in the sink of ${netns}: ${stdout}`)
    return Number(packets)
  }
  return { allowed: count('allowed'), denied: count('denied'), replies: count('replies') }
}

/** Packets are counted and dropped as they arrive, so that the receiver's own stack costs nothing. */
function renderSink(): string {
  return `table netdev sink {
  counter allowed {
  }
  counter denied {
  }
  counter replies {
  }
  chain arrival {
    type filter hook ingress device "eth0" priority 0; policy accept;
    udp dport ${measuredPort} counter name "allowed" drop
    udp dport ${deniedPort} counter name "denied" drop
    udp sport ${measuredPort} counter name "replies" drop
  }
}
`
}

function toLab(name: string): Lab {
  return {
    hostNetns: `${prefix}${name}-host`,
    senderNetns: `${prefix}${name}-vm${senderEndpoint.number}`,
    receiverNetns: `${prefix}${name}-vm${receiverEndpoint.number}`,
  }
}

function endpointNetns(lab: Lab, endpoint: BenchEndpoint): string {
  return endpoint === senderEndpoint ? lab.senderNetns : lab.receiverNetns
}

function namespacesOf(lab: Lab): readonly string[] {
  return [lab.hostNetns, lab.senderNetns, lab.receiverNetns]
}

function listNamespaces(): readonly string[] {
  try {
    return readdirSync('/run/netns')
  } catch {
    // the folder appears with the first namespace
    return []
  }
}

async function removeNamespace(netns: string): Promise<void> {
  if (!listNamespaces().includes(netns)) return
  // only our own runner ever lives in a namespace of ours
  const { stdout } = await execOk('ip', ['netns', 'pids', netns])
  for (const pid of stdout.split('\n').filter((line) => line !== '')) {
    const identity = await readProcessIdentity(Number(pid))
    // the bench itself is there for a moment when its sending thread opens a socket
    if (identity !== null && identity.pid !== process.pid) await stopProcess(identity, 2000)
  }
  await execOk('ip', ['netns', 'delete', netns])
}
