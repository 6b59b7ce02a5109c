/**
 * An endpoint that is a network namespace instead of a VM, made in milliseconds: a veth pair whose host side stands where a VM's tap
 * would (on the bridge, under a tap's name), and whose other side is the "guest's" eth0.
 */
import { execOk, type ExecOptions, type ExecResult, type RunningProcess, type StartOptions } from '@hyperward/os'

import type { Lab } from './lab.ts'

export interface NamespaceEndpointOptions {
  /** Names the namespace `<prefix>-<name>`. */
  readonly name: string
  readonly mac: string
  /** With prefix length, v4 and v6, e.g. `10.20.0.11/16`, `fd00:20::11/64`. */
  readonly addresses: readonly string[]
  /** Name of the namespace that holds the bridge (from `addHostNetns`, or a pseudo-host's `netns`). */
  readonly host: string
  /** Host side's name; default `vnet-<name>` cut to 15 bytes. */
  readonly tap?: string
  /** Default br0. */
  readonly bridge?: string
  /** Permanent neighbour entries, so that nothing needs ARP or ND. */
  readonly neighbours?: readonly { readonly address: string; readonly mac: string }[]
}

export interface NamespaceEndpoint {
  readonly name: string
  readonly netns: string
  readonly tap: string
  readonly mac: string
  readonly addresses: readonly string[]
  /** Runs a program inside the endpoint. */
  exec(file: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>
  start(file: string, args: readonly string[], options?: StartOptions): Promise<RunningProcess>
  /** One echo request; true when answered. */
  ping(address: string, timeoutMs?: number): Promise<boolean>
  remove(): Promise<void>
}

/** A namespace with a bridge (no addresses of its own), to hang namespace endpoints on. Returns the namespace's full name. */
export async function addHostNetns(lab: Lab, name = 'host', bridge = 'br0'): Promise<string> {
  const netns = await lab.addNetns(name)
  await addBridge(netns, bridge)
  return netns
}

/** A bridge that is nothing but a switch: no STP delay, no snooping, and no address, v6 link-local neither. */
export async function addBridge(netns: string, bridge: string): Promise<void> {
  await ipBatch(netns, [
    `link add ${bridge} type bridge stp_state 0 forward_delay 0 mcast_snooping 0`,
    `link set ${bridge} addrgenmode none`,
    `link set ${bridge} up`,
  ])
}

export async function addNamespaceEndpoint(lab: Lab, options: NamespaceEndpointOptions): Promise<NamespaceEndpoint> {
  const { name, mac, addresses, host } = options
  const tap = options.tap ?? `vnet-${name}`.slice(0, 15)
  const netns = await lab.addNetns(name)
  await ipBatch(netns, [
    `link add eth0 address ${mac} type veth peer name ${tap} netns ${host}`,
    'link set eth0 addrgenmode eui64',
    ...addresses.map((address) => `addr add ${address} dev eth0${address.includes(':') ? ' nodad' : ''}`),
    'link set eth0 up',
    ...(options.neighbours ?? []).map((one) => `neigh replace ${one.address} lladdr ${one.mac} dev eth0 nud permanent`),
  ])
  await ipBatch(host, [
    `link set ${tap} addrgenmode none`,
    `link set ${tap} master ${options.bridge ?? 'br0'}`,
    `link set ${tap} up`,
  ])
  const execInside = (file: string, args: readonly string[], execOptions?: ExecOptions): Promise<ExecResult> =>
    lab.exec(netns, file, args, execOptions)
  return {
    name,
    netns,
    tap,
    mac,
    addresses,
    exec: execInside,
    start: (file, args, startOptions) => lab.start(netns, file, args, startOptions),
    ping: async (address, timeoutMs = 1000) => {
      const family = address.includes(':') ? '-6' : '-4'
      const args = [family, '-n', '-q', '-c', '1', '-W', String(timeoutMs / 1000), address]
      return (await execInside('ping', args)).code === 0
    },
    remove: async () => {
      await execOk('ip', ['netns', 'delete', netns])
    },
  }
}

/** Many `ip` commands in one process, in order; stops at the first that fails. */
export async function ipBatch(netns: string, lines: readonly string[]): Promise<void> {
  await execOk('ip', ['-n', netns, '-batch', '-'], { input: `${lines.join('\n')}\n` })
}
