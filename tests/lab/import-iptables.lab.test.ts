/**
 * Imported iptables files against iptables itself: random rule sets are loaded by iptables-restore and ip6tables-restore into a namespace that forwards,
 * and, imported and compiled, by our driver for two namespace endpoints. The same packets are sent through both.
 * Rule sets that our language says exactly must give the same fate for every packet; others must never let through what iptables stops.
 */
import { importFiles } from '@hyperward/importers'
import { parseHostName, parseRevision, type HostPlan } from '@hyperward/model'
import { execOk } from '@hyperward/os'
import { compile, parseInventory, parsePolicy, resolve } from '@hyperward/policy'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { sha256 } from '../../core/policy/testing/sha256.ts'
import { createDatapathLab, type DatapathLab, type LabEndpoint } from '../../drivers/ebpf/testing/datapath-lab.ts'
import { echo, ip, protocol, tcp, udp, type Ends } from '@hyperward/datapath-testkit'
import { macOf } from '@hyperward/datapath-testkit'
import { openRawSocket, type RawSocket } from '@hyperward/datapath-testkit'

const seeds = [20_261_124, 7, 4_242] as const
const setsPerSeed = 10

const addresses = {
  a: ['10.1.0.1', '10.1.2.3', '10.2.0.9', '192.0.2.7', 'fd00:1::1', 'fd00:1:2::3', 'fd00:2::9'],
  b: ['10.3.0.1', '10.3.4.5', '10.1.9.9', '198.51.100.20', 'fd00:3::1', 'fd00:1::77', 'fd00:3:4::5'],
} as const

const inventoryText = `apiVersion: hyperward/v1
kind: Inventory
hosts: [h1]
vms:
${(['a', 'b'] as const)
  .map(
    (name, index) => `  - uuid: 00000000-0000-4000-8000-00000000000${index + 1}
    name: ${name}
    host: h1
    tenant: imported
    labels: {}
    endpoints:
      - { mac: "${macOf(index + 1)}", addresses: [${addresses[name].map((one) => `"${one}"`).join(', ')}] }`,
  )
  .join('\n')}
`

interface Probe {
  readonly name: string
  readonly way: 'a-b' | 'b-a'
  readonly toFrame: (ends: Pick<Ends, 'from' | 'to'>) => Buffer
  /** The first packet back. Null without ports: the kernel would know the connection under the next rules too. */
  readonly toAnswer: ((ends: Pick<Ends, 'from' | 'to'>) => Buffer) | null
}

let port = 20_000
const nextPort = (): number => (port = port >= 60_000 ? 20_000 : port + 1)

/** Every pair of addresses of one family, with a few services each; ports and ids are used once. */
function makeProbes(seed: number): readonly Probe[] {
  const probes: Probe[] = []
  for (const way of ['a-b', 'b-a'] as const) {
    const [sources, destinations] = way === 'a-b' ? [addresses.a, addresses.b] : [addresses.b, addresses.a]
    sources.forEach((source, i) =>
      destinations.forEach((destination, j) => {
        if (source.includes(':') !== destination.includes(':')) return
        const six = source.includes(':')
        const services = [
          [protocol.tcp, 22],
          [protocol.tcp, 80],
          [protocol.tcp, 443],
          [protocol.tcp, 8080],
          [protocol.udp, 53],
          [protocol.udp, 5000],
          [six ? protocol.icmpv6 : protocol.icmp, 8],
          // no ports: an answer in the other way would belong to the same connection
          ...(way === 'a-b' ? [[protocol.gre, 0] as const] : []),
        ] as const
        // two services a pair, another two for another set
        for (const shift of [0, 3]) {
          const [proto, number] = services[(i + j * 2 + seed + shift) % services.length] ?? [protocol.tcp, 22]
          const own = nextPort()
          const toFrame = (link: Pick<Ends, 'from' | 'to'>): Buffer => {
            const ends = { ...link, source, destination }
            if (proto === protocol.tcp) return tcp(ends, own, number)
            if (proto === protocol.udp) return udp(ends, own, number)
            return proto === protocol.gre ? ip(ends, proto, Buffer.alloc(12)) : echo(ends, 'request', own)
          }
          const toAnswer = (link: Pick<Ends, 'from' | 'to'>): Buffer => {
            const ends = { ...link, source: destination, destination: source }
            if (proto === protocol.tcp) return tcp(ends, number, own, { flags: 'SA', ack: 1001 })
            if (proto === protocol.udp) return udp(ends, number, own)
            return echo(ends, 'reply', own)
          }
          probes.push({
            name: `${source} > ${destination} ${proto}/${number}`,
            way,
            toFrame,
            toAnswer: proto === protocol.gre ? null : toAnswer,
          })
        }
      }),
    )
  }
  return probes
}

/** What a router leaves as it is: addresses, protocol and payload. */
function keyOf(frame: Buffer): string {
  const six = frame.readUInt16BE(12) === 0x86dd
  const [length, head] = six ? [frame.readUInt16BE(18), 40] : [frame.readUInt16BE(16) - 20, 20]
  const ends = six ? frame.subarray(22, 54) : frame.subarray(26, 34)
  const proto = six ? frame[20] : frame[23]
  return `${ends.toString('hex')}/${proto}/${frame.subarray(14 + head, 14 + head + length).toString('hex')}`
}

interface Wire {
  readonly a: RawSocket
  readonly b: RawSocket
  readonly toA: Pick<Ends, 'from' | 'to'>
  readonly toB: Pick<Ends, 'from' | 'to'>
}

/** Sends all in small bundles (a socket holds a few hundred frames) and tells which arrived. */
async function sendAll(wire: Wire, probes: readonly Pick<Probe, 'way' | 'toFrame'>[]): Promise<readonly boolean[]> {
  const arrived = new Set<string>()
  const gather = (): void => {
    for (const frame of [...wire.a.receiveAll(), ...wire.b.receiveAll()])
      if (frame.length >= 34) arrived.add(keyOf(frame))
  }
  gather()
  arrived.clear()
  const keys: string[] = []
  for (const [index, probe] of probes.entries()) {
    const frame = probe.toFrame(probe.way === 'a-b' ? wire.toB : wire.toA)
    keys.push(keyOf(frame))
    ;(probe.way === 'a-b' ? wire.a : wire.b).send(frame)
    if (index % 40 === 39) {
      await new Promise((resolve) => setTimeout(resolve, 10))
      gather()
    }
  }
  await new Promise((resolve) => setTimeout(resolve, 80))
  gather()
  return keys.map((key) => arrived.has(key))
}

let lab: DatapathLab
let ours: Wire
let theirs: Wire
let router: string
let endpoints: readonly LabEndpoint[]
const routerMacs = { a: '02:0a:00:00:00:01', b: '02:0b:00:00:00:01' } as const
const hostMacs = { a: '02:0a:00:00:00:02', b: '02:0b:00:00:00:02' } as const

beforeAll(async () => {
  lab = await createDatapathLab('hwimp')
  const [one, two] = [await lab.addEndpoint(1, []), await lab.addEndpoint(2, [])]
  endpoints = [one, two]
  for (const { namespace } of endpoints) {
    // a guest with an address would answer
    await execOk('ip', ['-n', namespace.netns, 'link', 'set', 'eth0', 'addrgenmode', 'none'])
    await execOk('ip', ['-n', namespace.netns, 'addr', 'flush', 'dev', 'eth0'])
  }
  ours = {
    a: openRawSocket(one.namespace.netns, 'eth0'),
    b: openRawSocket(two.namespace.netns, 'eth0'),
    toB: { from: 1, to: 2 },
    toA: { from: 2, to: 1 },
  }
  router = await lab.lab.addNetns('router')
  const peers = { a: await lab.lab.addNetns('ka'), b: await lab.lab.addNetns('kb') }
  const lines = (['a', 'b'] as const).flatMap((side, index) => [
    `link add name k${side} address ${routerMacs[side]} type veth peer name eth0 netns ${peers[side]}`,
    `link set k${side} up`,
    `addr add 172.31.${index}.1/24 dev k${side}`,
    `-6 addr add fdff:${index}::1/64 dev k${side} nodad`,
    `neigh replace 172.31.${index}.2 lladdr ${hostMacs[side]} dev k${side} nud permanent`,
    `-6 neigh replace fdff:${index}::2 lladdr ${hostMacs[side]} dev k${side} nud permanent`,
    ...addresses[side].map((address) =>
      address.includes(':')
        ? `-6 route add ${address}/128 via fdff:${index}::2 dev k${side}`
        : `route add ${address}/32 via 172.31.${index}.2 dev k${side}`,
    ),
  ])
  for (const line of lines) await execOk('ip', ['-n', router, ...line.split(' ')])
  for (const side of ['a', 'b'] as const)
    for (const change of [['addrgenmode', 'none'], ['address', hostMacs[side]], ['up']])
      await execOk('ip', ['-n', peers[side], 'link', 'set', 'eth0', ...change])
  const settings = ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1', 'net.ipv4.conf.all.rp_filter=0', 'net.ipv4.conf.ka.rp_filter=0', 'net.ipv4.conf.kb.rp_filter=0'] // prettier-ignore
  for (const one of settings) await inRouter('sysctl', ['-qw', one])
  theirs = {
    a: openRawSocket(peers.a, 'eth0'),
    b: openRawSocket(peers.b, 'eth0'),
    toB: { from: hostMacs.a, to: routerMacs.a },
    toA: { from: hostMacs.b, to: routerMacs.b },
  }
})
afterAll(async () => {
  for (const wire of [ours, theirs]) for (const socket of [wire.a, wire.b]) socket.close()
  await lab.close()
})

async function inRouter(file: string, args: readonly string[], input?: string): Promise<void> {
  await execOk('ip', ['netns', 'exec', router, file, ...args], input === undefined ? {} : { input })
}

const prefixes = {
  4: ['10.1.0.0/16', '10.1.2.0/24', '10.0.0.0/8', '10.3.0.1/32', '10.3.0.0/16', '192.0.2.7/32', '198.51.100.0/24'],
  6: ['fd00:1::/32', 'fd00:1:2::/48', 'fd00::/16', 'fd00:3::1/128', 'fd00:3::/32', 'fd00:2::/32', 'fd00:1::77/128'],
} as const
const ranges = { 4: '10.1.2.0-10.3.0.1', 6: 'fd00:1::1-fd00:2::ff' } as const

function arbitrarySide(family: 4 | 6, option: 's' | 'd'): fc.Arbitrary<string> {
  const name = option === 's' ? 'src' : 'dst'
  return fc.oneof(
    { weight: 5, arbitrary: fc.constant('') },
    { weight: 4, arbitrary: fc.constantFrom(...prefixes[family]).map((prefix) => `-${option} ${prefix}`) },
    { weight: 2, arbitrary: fc.constantFrom(...prefixes[family]).map((prefix) => `! -${option} ${prefix}`) },
    { weight: 1, arbitrary: fc.constant(`-m iprange --${name}-range ${ranges[family]}`) },
    { weight: 1, arbitrary: fc.constant(`-m set --match-set some${family} ${name}`) },
  )
}

function arbitraryService(family: 4 | 6): fc.Arbitrary<string> {
  return fc.constantFrom(
    '', '', '', '-p tcp', '-p udp', '-p tcp -m tcp --dport 80', '-p tcp -m tcp --dport 22:443', '-p tcp -m tcp ! --dport 22',
    '-p tcp -m multiport --dports 22,8080', '-p tcp -m multiport ! --dports 80,443', '-p udp -m udp --dport 53', '! -p tcp', '-p gre',
    '-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN',
    family === 4 ? '-p icmp -m icmp --icmp-type 8' : '-p ipv6-icmp -m icmp6 --icmpv6-type 128',
    family === 4 ? '-p icmp' : '-p ipv6-icmp',
  ) // prettier-ignore
}

/** Conditions our language has not. */
const inexact = fc.constantFrom(
  '-p tcp -m tcp --sport 20000:40000',
  '-m mark --mark 0x1/0x1',
  '-m limit --limit 1/hour --limit-burst 3',
  '-i ka',
  '! -o kb',
  '-m mac --mac-source 02:0a:00:00:00:02',
  '-m conntrack --ctstate INVALID,NEW -p udp -m udp --sport 30000:60000',
  '-m statistic --mode nth --every 2 --packet 0',
)

/** Chains call only those after them, so there are no circles. */
const chains = ['FORWARD', 'one', 'two', 'three'] as const

function arbitraryRule(family: 4 | 6, chain: number, wild: boolean): fc.Arbitrary<string> {
  const state = fc.constantFrom('', '', '', '-m conntrack --ctstate NEW', '-m state --state NEW,ESTABLISHED')
  const calls = chains.slice(chain + 1).flatMap((name) => [`-j ${name}`, `-g ${name}`])
  const target = fc.constantFrom(
    '-j ACCEPT',
    '-j ACCEPT',
    '-j DROP',
    '-j REJECT',
    '-j RETURN',
    '-j LOG',
    ...calls,
    ...calls,
  )
  const doubt = wild ? fc.oneof({ weight: 2, arbitrary: fc.constant('') }, { weight: 1, arbitrary: inexact }) : fc.constant('') // prettier-ignore
  return fc
    .tuple(arbitrarySide(family, 's'), arbitrarySide(family, 'd'), arbitraryService(family), state, doubt, target)
    .map(([source, destination, service, world, more, end]) => {
      // two protocols in one rule would not load
      const kept = more.includes('-p ') ? '' : service
      return ['-A', chains[chain], source, destination, kept, world, more, end].filter((part) => part !== '').join(' ')
    })
}

function ofEveryPacket(rule: string): string {
  return rule
    .replace('--ctstate NEW ', '--ctstate NEW,ESTABLISHED ')
    .replace('-m tcp --tcp-flags FIN,SYN,RST,ACK SYN ', '')
}

function arbitraryFile(family: 4 | 6, wild: boolean): fc.Arbitrary<string> {
  const bodies = chains.map((_, chain) => fc.array(arbitraryRule(family, chain, wild), { minLength: 1, maxLength: chain === 0 ? 7 : 3 })) // prettier-ignore
  return fc
    .tuple(fc.constantFrom('ACCEPT', 'DROP'), fc.integer({ min: 0, max: 3 }), fc.tuple(...bodies))
    .map(([policy, established, rules]) =>
      [
        `# Generated by ${family === 4 ? 'iptables' : 'ip6tables'}-save`,
        '*filter',
        ':INPUT ACCEPT [0:0]',
        `:FORWARD ${policy} [0:0]`,
        ':OUTPUT ACCEPT [0:0]',
        ...chains.slice(1).map((name) => `:${name} - [0:0]`),
        ...(established === 0 ? [] : ['-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT']),
        // without that rule a packet is judged by itself, and one that begins a connection cannot be told from the next
        ...rules.flat().map((rule) => (established > 0 || wild ? rule : ofEveryPacket(rule))),
        'COMMIT',
        '',
      ].join('\n'),
    )
}

const setsText = `create some4 hash:net family inet hashsize 1024 maxelem 65536
add some4 10.1.0.0/16
add some4 198.51.100.20
create some6 hash:net family inet6 hashsize 1024 maxelem 65536
add some6 fd00:1::/32
add some6 fd00:3::1
`

const host = parseHostName('h1') ?? expect.fail()
const revision = parseRevision(1) ?? expect.fail()

function toPlan(four: string, six: string): { readonly plan: HostPlan; readonly text: string } {
  const files = [
    { name: 'rules.v4', content: four },
    { name: 'rules.v6', content: six },
    { name: 'sets', content: setsText },
  ]
  const imported = importFiles('iptables', files, { view: 'host' })
  if (!imported.ok) return expect.fail(`${JSON.stringify(imported.diagnostics)}\n${four}\n${six}`)
  const { text } = imported.value
  const policy = parsePolicy(text, 'policy.yaml')
  const inventory = parseInventory(inventoryText, 'inventory.yaml')
  if (!policy.ok || !inventory.ok) return expect.fail(`${JSON.stringify(policy)} ${JSON.stringify(inventory)}\n${text}`)
  const { plans } = compile(resolve(policy.value, inventory.value), { revision, sha256 })
  const plan = plans.find((one) => one.host === host) ?? expect.fail('no plan of h1')
  return { plan, text }
}

interface Fates {
  readonly kernel: readonly boolean[]
  readonly ours: readonly boolean[]
}

interface Judged {
  readonly first: Fates
  /** Of the probes that passed on both sides, in their order. */
  readonly answered: readonly Probe[]
  readonly answers: Fates
  readonly text: string
}

async function judge(four: string, six: string, probes: readonly Probe[]): Promise<Judged> {
  await inRouter('iptables-restore', [], four)
  await inRouter('ip6tables-restore', [], six)
  const { plan, text } = toPlan(four, six)
  const attachments = plan.sections.endpoints.map(({ id, mac }) => {
    const endpoint = endpoints.find((one) => macOf(one.number) === mac) ?? expect.fail(`no tap for ${mac}`)
    return { endpoint: id, device: endpoint.namespace.tap, ifindex: endpoint.ifindex, segment: lab.bridge }
  })
  const report = await lab.driver.reconcile(plan, attachments)
  expect([report.outcome === 'failed', report.reason]).toEqual([false, null])
  const first = { kernel: await sendAll(theirs, probes), ours: await sendAll(ours, probes) }
  const answered = probes.filter(
    ({ toAnswer }, at) => toAnswer !== null && first.kernel[at] === true && first.ours[at] === true,
  )
  const back = answered.flatMap(({ way, toAnswer }) =>
    toAnswer === null ? [] : [{ way: way === 'a-b' ? ('b-a' as const) : ('a-b' as const), toFrame: toAnswer }],
  )
  return { first, answered, answers: { kernel: await sendAll(theirs, back), ours: await sendAll(ours, back) }, text }
}

/** Names of the probes whose two fates are so. */
function where(
  probes: readonly Probe[],
  { kernel, ours }: Fates,
  is: (kernel: boolean, ours: boolean) => boolean,
  what: string,
): readonly string[] {
  return probes.flatMap(({ name, way }, at) =>
    is(kernel[at] === true, ours[at] === true)
      ? [`${what} ${way} ${name}: iptables ${kernel[at] === true ? 'passes' : 'stops'} it`]
      : [],
  )
}

beforeAll(async () => {
  await inRouter('ipset', ['restore'], setsText)
})

for (const seed of seeds) {
  test(`what our language says exactly has the fate that iptables gives it (seed ${seed})`, async () => {
    const files = fc.sample(fc.tuple(arbitraryFile(4, false), arbitraryFile(6, false)), { seed, numRuns: setsPerSeed })
    const count = { passed: 0, stopped: 0, answers: 0 }
    for (const [index, [four, six]] of files.entries()) {
      const probes = makeProbes(seed + index)
      const { first, answered, answers, text } = await judge(four, six, probes)
      const differs = (kernel: boolean, ours: boolean): boolean => kernel !== ours
      const wrong = [...where(probes, first, differs, 'first'), ...where(answered, answers, differs, 'answer')]
      expect([wrong, four, six, text]).toEqual([[], four, six, text])
      count.passed += answered.length
      count.stopped += probes.length - answered.length
      count.answers += answers.ours.filter((one) => one).length
    }
    process.stderr.write(`import-iptables: seed ${seed}: ${setsPerSeed} rule sets, ${count.passed} packets passed (${count.answers} answered), ${count.stopped} stopped, all as iptables\n`) // prettier-ignore
    expect(count.passed).toBeGreaterThan(200)
    expect(count.stopped).toBeGreaterThan(200)
    expect(count.answers).toBeGreaterThan(100)
  })

  test(`what it does not say exactly never passes where iptables stops it (seed ${seed})`, async () => {
    const files = fc.sample(fc.tuple(arbitraryFile(4, true), arbitraryFile(6, true)), { seed, numRuns: setsPerSeed })
    const count = { passed: 0, narrower: 0 }
    for (const [index, [four, six]] of files.entries()) {
      const probes = makeProbes(seed + index)
      const { first, answered, answers, text } = await judge(four, six, probes)
      const widens = (kernel: boolean, ours: boolean): boolean => ours && !kernel
      const wider = [...where(probes, first, widens, 'first'), ...where(answered, answers, widens, 'answer')]
      expect([wider, four, six, text]).toEqual([[], four, six, text])
      count.passed += answered.length
      count.narrower += where(probes, first, (kernel, ours) => kernel && !ours, '').length
    }
    process.stderr.write(`import-iptables: seed ${seed}: ${setsPerSeed} inexact rule sets, ${count.passed} packets passed by both, ${count.narrower} only by iptables, none only here\n`) // prettier-ignore
    expect(count.passed).toBeGreaterThan(50)
  })
}
