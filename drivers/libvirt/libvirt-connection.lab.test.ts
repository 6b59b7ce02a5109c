import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import type { OperationError } from '@hyperward/model'
import {
  createLab,
  createPseudoHost,
  guestMetadataXml,
  addBridge,
  waitFor,
  type Lab,
  type PseudoHost,
} from '@hyperward/testkit'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createLibvirtConnection, type LibvirtConnection, type LibvirtEvent } from './libvirt-connection.ts'
import { observeDomains } from './observe.ts'

let lab: Lab
let host: PseudoHost
let connection: LibvirtConnection
const events: LibvirtEvent[] = []
const closed: (OperationError | null)[] = []

const uuid = '11111111-2222-4333-8444-555555555601'
const mac = '52:54:00:00:00:01'
const osinfo =
  '<l:libosinfo xmlns:l="http://libosinfo.org/xmlns/libvirt/domain/1.0"><l:os id="http://debian.org/debian/12"/></l:libosinfo>'
const metadata = guestMetadataXml({
  tenant: 'acme',
  labels: { app: 'shop' },
  mac,
  addresses: ['10.20.0.11', 'fd00:20::11'],
}).replace('</metadata>', `${osinfo}</metadata>`)

beforeAll(async () => {
  lab = await createLab({ prefix: 'hwtlv' })
  const netns = await lab.addNetns('one')
  await addBridge(netns, 'br0')
  host = await createPseudoHost(lab, { name: 'one', uuid: 'aaaaaaaa-0000-4000-8000-000000000001', netns })
  // a VM without a kernel: it runs (its firmware waits), which is all that libvirt needs
  writeFileSync(
    join(host.dir, 'vm/bare.xml'),
    `<domain type='qemu'><name>bare</name><uuid>${uuid}</uuid>${metadata}<memory unit='MiB'>32</memory><vcpu>1</vcpu>
     <os><type arch='x86_64' machine='pc'>hvm</type></os><features><acpi/></features>
     <devices><emulator>/usr/bin/qemu-system-x86_64</emulator><controller type='usb' model='none'/><memballoon model='none'/>
     ${interfaceXml(mac)}
     </devices></domain>`,
  )
  connection = await openConnection()
})
afterAll(async () => {
  await connection.close()
  await lab.close()
})

function interfaceXml(address: string): string {
  return `<interface type='bridge'><mac address='${address}'/><source bridge='br0'/><model type='virtio'/><rom enabled='no'/></interface>`
}

function openConnection(): Promise<LibvirtConnection> {
  return createLibvirtConnection({
    path: host.libvirtSocket,
    callTimeoutMs: 2000,
    keepaliveIntervalMs: 400,
    onEvent: (event) => events.push(event),
    onClose: (error) => closed.push(error),
  })
}

async function virsh(...args: readonly string[]): Promise<void> {
  expect(await host.virsh(...args)).toMatchObject({ code: 0, stderr: '' })
}

test('tells the host name and version of libvirt', async () => {
  expect(await connection.hostname()).toBe('one')
  expect(`virsh ${(await host.virsh('version', '--daemon')).stdout}`).toContain(
    `libvirt ${await connection.libVersion()}`,
  )
})

test('tells what happens to domains, and what they are', async () => {
  expect(await observeDomains(connection)).toEqual({ known: true, value: [] })
  await connection.subscribe()
  await virsh('define', join(host.dir, 'vm/bare.xml'))
  await virsh('start', 'bare')
  await waitFor(() => events.some((one) => one.kind === 'lifecycle' && one.event === 'started'))
  expect(events.flatMap((one) => (one.kind === 'lifecycle' ? [one.event] : []))).toEqual(
    expect.arrayContaining(['defined', 'started']),
  )
  const addresses = ['10.20.0.11', 'fd00:20::11']
  const declared = { mac, type: 'bridge', source: 'br0', segment: 'br0', model: 'virtio', addresses }
  const bare = { uuid, name: 'bare', tenant: 'acme', labels: { app: 'shop' }, os: 'debian 12', problems: [] }
  expect(await observeDomains(connection)).toEqual({
    known: true,
    value: [{ ...bare, state: 'running', interfaces: [{ ...declared, device: 'vnet0' }] }],
  })
  await virsh('suspend', 'bare')
  expect(await observeDomains(connection)).toMatchObject({ known: true, value: [{ state: 'paused' }] })
})

test('tells plugged and unplugged devices and changed metadata', async () => {
  events.length = 0
  const added = '52:54:00:00:00:02'
  await virsh('resume', 'bare')
  const nic = join(host.dir, 'vm/nic.xml')
  writeFileSync(nic, interfaceXml(added))
  await virsh('attach-device', 'bare', nic, '--live')
  const devices = (kind: string) => events.flatMap((one) => (one.kind === kind && 'device' in one ? [one.device] : []))
  await waitFor(() => devices('device-added').length > 0)
  expect(devices('device-added')).toEqual(['net1'])
  const observed = await observeDomains(connection)
  expect(observed).toMatchObject({ value: [{ interfaces: [{ mac }, { mac: added, addresses: [] }] }] })
  // any change of our block arrives, also one that makes it unreadable
  const uri = 'https://hyperward.org/xmlns/vm/1'
  await virsh('metadata', 'bare', '--uri', uri, '--key', 'hw', '--set', '<vm tenant="other" admin="yes"/>', '--live')
  await waitFor(() => events.some((one) => one.kind === 'metadata-change' && one.namespace === uri))
  expect(await observeDomains(connection)).toMatchObject({
    value: [{ tenant: null, labels: {}, problems: [{ code: 'libvirt.metadata-malformed' }] }],
  })
})

test('an error of libvirt is told with its number and leaves the connection good', async () => {
  const [domain] = await connection.listDomains()
  if (domain === undefined) throw new Error('no domain')
  const stranger = { ...domain, uuid: uuid.replace('1', '9') as typeof domain.uuid, name: 'stranger' }
  await expect(connection.domainXml(stranger)).rejects.toMatchObject({
    code: 'libvirt.call-failed',
    details: { libvirtCode: 42 },
  })
  expect(await connection.listDomains()).toHaveLength(1)
})

test('an idle connection stays open: pings are answered', async () => {
  await new Promise((resolve) => setTimeout(resolve, 1500))
  expect(closed).toEqual([])
  expect(await connection.listDomains()).toHaveLength(1)
})

test('a libvirt that hangs is told within twice the interval, and calls that wait for it fail', async () => {
  host.libvirtd().signal('SIGSTOP')
  try {
    const call = connection.listDomains()
    await expect(call).rejects.toMatchObject({ code: 'libvirt.unresponsive' })
    await waitFor(() => closed.length === 1, { timeoutMs: 2000 })
    expect(closed[0]).toMatchObject({ code: 'libvirt.unresponsive' })
    expect(await observeDomains(connection)).toMatchObject({ known: false })
    // it still accepts connections (the kernel does), but opening one ends too
    await expect(openConnection()).rejects.toMatchObject({ code: 'libvirt.unresponsive' })
  } finally {
    host.libvirtd().signal('SIGCONT')
  }
  // on a busy machine the woken daemon may still close a connection that came while it hung; the next one is served
  const domains = await waitFor(async () => {
    closed.length = 0
    connection = await openConnection()
    return connection.listDomains()
  })
  expect(domains).toHaveLength(1)
})

test('a restart of libvirtd closes the connection; domains run on and are seen again', async () => {
  await host.stopLibvirtd()
  await waitFor(() => closed.length === 1)
  expect(closed[0]).toMatchObject({ code: 'libvirt.closed' })
  await expect(openConnection()).rejects.toMatchObject({ code: 'libvirt.unreachable' })
  await host.startLibvirtd()
  connection = await openConnection()
  expect(await observeDomains(connection)).toMatchObject({ known: true, value: [{ name: 'bare', state: 'running' }] })
})
