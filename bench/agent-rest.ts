/** What the access engine costs while nothing happens: memory, and CPU of its process and of the programs it runs, with 50 enforced endpoints. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import {
  defaultDropRef,
  hostPlanFormat,
  parseAddress,
  parseHostName,
  parseMac,
  parseRevision,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  toIdentity,
  type HostPlan,
  type HostPlanSections,
} from '@hyperward/model'
import { execOk, sha256Hex } from '@hyperward/os'
import { cutSections, digestPlan, planText } from '@hyperward/policy'
import { addHostNetns, createLab, ipBatch } from '@hyperward/testkit'

import type { RestingOptions } from './agent/resting-engine.ts'
import type { Bench } from './lib/bench.ts'

const endpointCount = 50
const root = join(import.meta.dirname, '..')

export const bench: Bench = {
  name: 'agent-rest',
  summary:
    'the access engine at rest with 50 endpoints: memory and share of one core (libvirt and the center are models)',
  run: async ({ quick, progress, signal }) => {
    const lab = await createLab({ prefix: 'hwarest' })
    try {
      const netns = await addHostNetns(lab)
      const vms = Array.from({ length: endpointCount }, (_, index) => toVm(index + 1))
      await ipBatch(
        netns,
        vms.flatMap(({ device, tapMac }, index) => [
          `link add ${device} address ${tapMac} type veth peer name far${index}`,
          `link set ${device} addrgenmode none`,
          `link set ${device} master br0`,
          `link set ${device} up`,
        ]),
      )
      progress(`${endpointCount} endpoints stand`)
      const pins = join(lab.dir, 'bpf')
      const stateDir = join(lab.dir, 'state')
      for (const directory of [pins, stateDir]) mkdirSync(directory, { recursive: true })
      await execOk('mount', ['-t', 'bpf', 'hwarest-bpf', pins])
      try {
        writeFileSync(join(stateDir, 'plan.json'), planText(toPlan(vms)))
        const options: RestingOptions = {
          host: 'bench',
          stateDir,
          pinRoot: join(pins, 'hyperward'),
          objectPath: join(root, 'dist/bpf/endpoint.bpf.o'),
          domains: vms.map((vm) => vm.xml),
          warmUpMs: quick ? 8000 : 20_000,
          measureMs: quick ? 20_000 : 60_000,
        }
        const file = join(lab.dir, 'options.json')
        writeFileSync(file, JSON.stringify(options))
        signal.throwIfAborted()
        progress(`measuring for ${(options.warmUpMs + options.measureMs) / 1000} s`)
        // `ip netns exec` gives it the sysfs of its namespace
        const script = join(import.meta.dirname, 'agent/resting-engine.ts')
        const ran = await lab.exec(
          null,
          'ip',
          ['netns', 'exec', netns, process.execPath, '--max-semi-space-size=1', script, file],
          {
            timeoutMs: options.warmUpMs + options.measureMs + 30_000,
          },
        )
        if (ran.code !== 0) throw new Error(`the engine ended with ${ran.code}: ${ran.stderr.slice(-1000)}`)
        return toFigures(ran.stdout)
      } finally {
        await execOk('umount', [pins])
      }
    } finally {
      await lab.close()
    }
  },
}

function toFigures(stdout: string): Awaited<ReturnType<Bench['run']>> {
  // the last line of the process beside this file
  const told = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<
    'enforced' | 'rssMb' | 'ownCpuMs' | 'childrenCpuMs' | 'ms',
    number
  >
  if (told.enforced !== endpointCount)
    throw new Error(`only ${told.enforced} of ${endpointCount} endpoints were enforced`)
  const percent = (cpuMs: number): number => Math.round((cpuMs / told.ms) * 10_000) / 100
  return {
    endpoints: told.enforced,
    rss_mb: Math.round(told.rssMb * 10) / 10,
    cpu_percent: percent(told.ownCpuMs + told.childrenCpuMs),
    own_cpu_percent: percent(told.ownCpuMs),
    child_cpu_percent: percent(told.childrenCpuMs),
  }
}

function toVm(n: number): {
  n: number
  uuid: string
  mac: string
  tapMac: string
  device: string
  address: string
  xml: string
} {
  const hex = n.toString(16).padStart(2, '0')
  const uuid = `00000000-0000-4000-8000-0000000000${hex}`
  const mac = `52:54:00:00:00:${hex}`
  const address = `10.20.0.${n}`
  const device = `vnet${n}`
  const xml = `<domain type='kvm' id='${n}'><name>vm${n}</name><uuid>${uuid}</uuid><metadata>
<hw:vm xmlns:hw="https://hyperward.org/xmlns/vm/1" tenant="acme"><hw:label key="app" value="shop"/>
<hw:interface mac="${mac}"><hw:address>${address}</hw:address></hw:interface></hw:vm></metadata>
<memory unit='KiB'>1048576</memory><vcpu>1</vcpu><os><type arch='x86_64' machine='q35'>hvm</type></os>
<devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
<interface type='bridge'><mac address='${mac}'/><source bridge='br0'/><target dev='${device}'/><model type='virtio'/></interface>
</devices></domain>`
  return { n, uuid, mac, tapMac: `fe${mac.slice(2)}`, device, address, xml }
}

function toPlan(vms: readonly ReturnType<typeof toVm>[]): HostPlan {
  const host = need(parseHostName('bench'))
  const tenant = need(parseTenantName('acme'))
  const sections: HostPlanSections = {
    endpoints: vms.map((vm) => {
      const uuid = need(parseVmUuid(vm.uuid))
      const mac = need(parseMac(vm.mac))
      const addresses = [need(parseAddress(vm.address))]
      return { id: toEndpointId(uuid, mac), vm: uuid, vmName: `vm${vm.n}`, tenant, mac, addresses }
    }),
    zones: [{ tenant, zone: 1 }],
    addresses: vms
      .map((vm) => ({ address: need(parseAddress(vm.address)), identity: toIdentity(2) }))
      .toSorted((a, b) => (a.address < b.address ? -1 : 1)),
    networks: [],
    services: [],
    verdicts: [],
    rules: [
      {
        number: 0,
        ref: defaultDropRef,
        tier: 'builtin',
        tenant: null,
        policy: 'default',
        name: 'drop',
        action: 'drop',
        log: true,
      },
    ],
  }
  const digest = digestPlan(host, cutSections(sections, sha256Hex), sha256Hex)
  return { format: hostPlanFormat, host, revision: need(parseRevision(1)), digest, sections }
}

function need<T>(value: T | null): T {
  if (value === null) throw new Error('the bench made something that does not parse')
  return value
}
