import {
  addHostNetns,
  addNamespaceEndpoint,
  createLab,
  waitFor,
  type Lab,
  type NamespaceEndpoint,
} from '@hyperward/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'

import { renderClose, renderInstall, renderOpen } from './render.ts'
import { decodeDoor, decodeLinks, type DoorContent } from './decode.ts'

let lab: Lab
let host: string
let a: NamespaceEndpoint
let b: NamespaceEndpoint

beforeAll(async () => {
  lab = await createLab({ prefix: 'hwedoor' })
  host = await addHostNetns(lab)
  a = await addNamespaceEndpoint(lab, {
    name: 'a',
    mac: '02:00:00:00:00:01',
    addresses: ['10.9.0.1/16', 'fd00:9::1/64'],
    host,
    tap: 'vnet0',
    neighbours: [
      { address: '10.9.0.2', mac: '02:00:00:00:00:02' },
      { address: 'fd00:9::2', mac: '02:00:00:00:00:02' },
    ],
  })
  b = await addNamespaceEndpoint(lab, {
    name: 'b',
    mac: '02:00:00:00:00:02',
    addresses: ['10.9.0.2/16', 'fd00:9::2/64'],
    host,
    tap: 'tap7',
    neighbours: [
      { address: '10.9.0.1', mac: '02:00:00:00:00:01' },
      { address: 'fd00:9::1', mac: '02:00:00:00:00:01' },
    ],
  })
})
afterAll(() => lab.close())
beforeEach(async () => {
  await nft('destroy-or-none')
  await nft(renderInstall(['vnet*', 'tap*']))
})

/** nft 1.0.6 has no `destroy`: adding first makes the removal no error. */
async function nft(script: string): Promise<void> {
  const text =
    script === 'destroy-or-none' ? 'add table bridge hyperward_door\ndelete table bridge hyperward_door\n' : script
  const result = await lab.exec(host, 'nft', ['-f', '-'], { input: text })
  expect(result.stderr).toBe('')
}

async function indexOf(device: string): Promise<number> {
  const { stdout } = await lab.exec(host, 'ip', ['-json', 'link', 'show'])
  const links = decodeLinks(stdout)
  return (links.known ? links.value.get(device) : undefined) ?? 0
}

async function observe(): Promise<DoorContent> {
  const links = decodeLinks((await lab.exec(host, 'ip', ['-json', 'link', 'show'])).stdout)
  if (!links.known) throw new Error(links.reason)
  const door = decodeDoor(
    (await lab.exec(host, 'nft', ['-j', 'list', 'table', 'bridge', 'hyperward_door'])).stdout,
    links.value,
  )
  if (!door.known) throw new Error(door.reason)
  return door.value
}

test('invariant 4: nothing passes from or to a tap that is not guarded, and it is counted', async () => {
  expect(await a.ping('10.9.0.2', 300)).toBe(false)
  expect(await a.ping('fd00:9::2', 300)).toBe(false)
  await nft(renderOpen(await indexOf('vnet0')))
  expect(await a.ping('10.9.0.2', 300)).toBe(false)
  const content = await observe()
  expect(content.packets).toBeGreaterThan(0)
  expect(content.rules).toBe(6)
  await nft(renderOpen(await indexOf('tap7')))
  expect(await a.ping('10.9.0.2')).toBe(true)
  expect(await b.ping('fd00:9::1')).toBe(true)
  await nft(renderClose([await indexOf('tap7')]))
  expect(await a.ping('10.9.0.2', 300)).toBe(false)
})

test('installed again, the door keeps who is guarded', async () => {
  await nft(renderOpen(await indexOf('vnet0')))
  await nft(renderOpen(await indexOf('tap7')))
  await nft(renderInstall(['vnet*', 'tap*']))
  expect([...(await observe()).guarded].sort((x, y) => x - y)).toEqual(
    [await indexOf('vnet0'), await indexOf('tap7')].sort((x, y) => x - y),
  )
  expect(await a.ping('10.9.0.2')).toBe(true)
})

test('a device made again under the same name is closed', async () => {
  await nft(renderOpen(await indexOf('tap7')))
  const c = { name: 'c', mac: '02:00:00:00:00:03', addresses: ['10.9.0.3/16'], host, tap: 'vnet5' }
  const first = await addNamespaceEndpoint(lab, c)
  const firstIndex = await indexOf('vnet5')
  await nft(renderOpen(firstIndex))
  expect(await first.ping('10.9.0.2')).toBe(true)
  // deleting the device is immediate, deleting its namespace is not
  await lab.exec(host, 'ip', ['link', 'delete', 'vnet5'])
  await first.remove()
  const second = await addNamespaceEndpoint(lab, c)
  expect(await indexOf('vnet5')).not.toBe(firstIndex)
  expect(await second.ping('10.9.0.2', 300)).toBe(false)
  expect((await observe()).guarded).toContain(firstIndex)
  await nft(renderClose([firstIndex]))
  expect((await observe()).guarded).not.toContain(firstIndex)
  await second.remove()
})

test('invariant 3: tables of libvirt, Docker and an operator stay as they are', async () => {
  await nft(
    [
      'add table ip libvirt_network',
      'add chain ip libvirt_network forward { type filter hook forward priority 0; policy accept; }',
      'add rule ip libvirt_network forward counter accept',
      'add table ip filter',
      'add chain ip filter DOCKER-USER',
      'add rule ip filter DOCKER-USER iifname "docker0" return',
      'add table bridge operator',
      'add chain bridge operator forward { type filter hook forward priority 0; policy accept; }',
      'add rule bridge operator forward ether type 0x88cc drop',
      '',
    ].join('\n'),
  )
  const foreign = async (): Promise<string> => {
    const { stdout } = await lab.exec(host, 'nft', ['-s', 'list', 'ruleset'])
    return stdout.replace(/table bridge hyperward_door \{[\s\S]*?\n\}\n/, '')
  }
  const before = await foreign()
  expect(before).toContain('DOCKER-USER')
  await nft(renderInstall(['vnet*']))
  await nft(renderOpen(await indexOf('vnet0')))
  await nft(renderClose([await indexOf('vnet0')]))
  expect(await foreign()).toBe(before)
})

test('a tap is closed whatever it is called, and teaches the bridge nothing before it is guarded', async () => {
  // a real tap under a name that no pattern has, held open by a QEMU without a machine, as a VM's is
  const netdev = 'tap,id=n0,ifname=web0,script=no,downscript=no'
  const options = ['-machine', 'none', '-display', 'none', '-nodefaults', '-netdev', netdev]
  const qemu = await lab.start(host, 'qemu-system-x86_64', options)
  await waitFor(async () => (await lab.exec(host, 'ip', ['link', 'set', 'web0', 'master', 'br0', 'up'])).code === 0)
  await nft(renderOpen(await indexOf('vnet0')))
  await nft(renderOpen(await indexOf('tap7')))
  const before = (await observe()).packets
  // flooded to every port: only web0 is not guarded
  await lab.exec(a.netns, 'ping', ['-c', '3', '-i', '0.2', '-W', '1', '-b', '10.9.255.255'])
  expect((await observe()).packets).toBeGreaterThan(before)
  await qemu.stop()
  await nft(renderClose([await indexOf('tap7')]))
  // tap7 is not guarded now: a MAC that it borrows is not learned on its port
  await lab.exec(b.netns, 'ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:77'])
  await b.ping('10.9.0.1', 200)
  await lab.exec(b.netns, 'ip', ['link', 'set', 'eth0', 'address', '02:00:00:00:00:02'])
  const { stdout } = await lab.exec(host, 'bridge', ['fdb', 'show', 'br', 'br0'])
  expect(stdout).not.toContain('02:00:00:00:00:77')
})
