/**
 * The process that bench agent-rest measures: the whole access engine at its ordinary intervals, with the real driver, door and devices of its namespace.
 * libvirt's socket and the center are models: each look decodes the VMs' real XML. Arguments: a JSON file (RestingOptions). Tells one JSON line when it enforces, and one at the end.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

import { createEngine, createPlanStore, isSameLink, linkReader } from '@hyperward/access-engine'
import { createEbpfDriver } from '@hyperward/driver-ebpf'
import { decodeDomain } from '@hyperward/driver-libvirt'
import { createDoor } from '@hyperward/driver-nftables'
import { known, parseHostName, toEndpointId } from '@hyperward/model'
import { readFileIfExists, sha256Hex, writeFileAtomic } from '@hyperward/os'
import { parseHostPlan } from '@hyperward/policy'

export interface RestingOptions {
  readonly host: string
  readonly stateDir: string
  readonly pinRoot: string
  readonly objectPath: string
  /** libvirt's description of each VM. */
  readonly domains: readonly string[]
  readonly warmUpMs: number
  readonly measureMs: number
}

// written by the bench beside it
const options = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as RestingOptions
const host = parseHostName(options.host)
if (host === null) throw new Error('no host')
const { objectPath, pinRoot, stateDir } = options
const driver = createEbpfDriver({ objectPath, pinRoot, host, now: () => new Date() })
if (!driver.known) throw new Error(driver.reason)
const door = createDoor({ tapPatterns: ['vnet*'] })
await door.install()
const quiet = (): void => undefined
const complain = (fields: object, message: string): void => console.error(message, JSON.stringify(fields))

const engine = createEngine({
  host,
  software: 'bench',
  kernel: 'bench',
  stream: 'bench',
  datapath: driver.value,
  driver: { name: 'ebpf', reason: 'the bench measures it' },
  kernelLacks: null,
  door,
  store: createPlanStore({
    stateDir,
    host,
    parsePlan: (text) => parseHostPlan(text, sha256Hex),
    readFile: readFileIfExists,
    writeFile: (path, text) => writeFileAtomic(path, text),
  }),
  moveOut: async () => undefined,
  openLibvirt: async () => ({
    observe: async () =>
      known(
        options.domains.map((xml) => {
          const domain = decodeDomain(xml)
          if (typeof domain === 'string') throw new Error(domain)
          const nics = domain.interfaces.map(({ mac, addresses, segment, device }) => ({
            endpoint: toEndpointId(domain.uuid, mac),
            mac,
            addresses,
            segment,
            device,
            unguardable: null,
          }))
          return { ...domain, nics, problems: [], unreadable: false }
        }),
      ),
    close: quiet,
  }),
  links: linkReader,
  isSameLink,
  // a center that answers, so that status and counters are made and sent as on a host in service
  connectCenter: (_identity, handlers) => {
    const answer = (message: object): unknown => setImmediate(handlers.onText, JSON.stringify(message))
    setImmediate(handlers.onOpen)
    return {
      send(text) {
        // the engine's own messages
        const message = JSON.parse(text) as { readonly kind: string; readonly seq?: number }
        if (message.kind === 'hello') answer({ kind: 'welcome', center: 'bench', host, time: new Date().toISOString() })
        if (message.seq !== undefined) answer({ kind: 'ack', seq: message.seq })
      },
      close: handlers.onClose,
      ping: () => setImmediate(handlers.onAlive),
      bufferedBytes: () => 0,
    }
  },
  loadIdentity: async () => ({ host, center: 'https://none', keyPem: '', certificatePem: '', caPem: '' }),
  saveIdentity: async () => undefined,
  createKeyAndCsr: async () => ({ keyPem: '', csrPem: '' }),
  renew: false,
  log: { debug: quiet, info: quiet, warn: complain, error: complain },
  now: () => Date.now(),
  random: () => Math.random(),
})
await engine.start()
await sleep(options.warmUpMs)
// the engine's own state, as `status` prints it
const state = engine.state() as { lastRound: { endpoints: readonly { state: string }[] } | null }
const enforced = state.lastRound?.endpoints.filter((endpoint) => endpoint.state === 'enforced').length ?? 0
const before = { cpu: process.cpuUsage(), childrenMs: readChildrenMs(), at: performance.now() }
await sleep(options.measureMs)
const used = process.cpuUsage(before.cpu)
const ms = performance.now() - before.at
const ownCpuMs = (used.user + used.system) / 1000
const childrenCpuMs = readChildrenMs() - before.childrenMs
const rssMb = process.memoryUsage.rss() / 1024 / 1024
console.log(JSON.stringify({ enforced, rssMb, ownCpuMs, childrenCpuMs, ms }))
await engine.stop()
process.exit(0)

/** CPU of the programs it ran and saw end (nft, ip): proc(5), stat fields 16 and 17, in ticks of 10 ms. */
function readChildrenMs(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[13]) + Number(fields[14])) * 10
}
