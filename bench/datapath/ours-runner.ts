/**
 * Stands for the access engine in the host's network namespace: puts up the closed door, loads the bench's plan through the product's driver, opens the
 * door, tells how it went in a file, and stays until it is ended. It runs in a mount namespace of its own (`unshare -m`), so that its BPF file system, and all pinned there, ends with it.
 */
import { rename, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { createEbpfDriver, type EbpfDriver } from '@hyperward/driver-ebpf'
import { createDoor } from '@hyperward/driver-nftables'
import { createNftablesDriver, type NftablesDriver } from '@hyperward/driver-nftables-endpoint'
import { execOk } from '@hyperward/os'

import { receiverEndpoint, senderEndpoint } from './endpoints.ts'
import { benchHost, makeBenchPlan, toBenchEndpointId } from './ours-plan.ts'

export interface RunnerOrder {
  readonly size: number
  /** One network segment for both endpoints: packets are handed over directly. Two: they pass the bridge. Or one, guarded by the nftables driver. */
  readonly way: 'one' | 'two' | 'nftables'
  readonly objectPath: string
  /** An empty folder; the BPF file system is mounted on it. */
  readonly pinRoot: string
  readonly reportPath: string
}

/** null = in force. */
export interface RunnerReport {
  readonly failure: string | null
}

// as: ours.ts starts this program with exactly this
const order = JSON.parse(process.argv[2] ?? '') as RunnerOrder
const parent = process.ppid
type Driver = EbpfDriver | NftablesDriver
let driver: Driver | null = null
let report: RunnerReport
try {
  driver = await load()
  report = { failure: null }
} catch (error) {
  report = { failure: error instanceof Error ? error.message : String(error) }
}
await writeFile(`${order.reportPath}.new`, JSON.stringify(report))
await rename(`${order.reportPath}.new`, order.reportPath)
if (driver !== null) await serve(driver)
process.exit(0)

/** Reads what is told, as the agent does; and ends with its parent, so that a bench that was killed leaves no runner behind. */
async function serve(driver: Driver): Promise<void> {
  while (process.ppid === parent) {
    driver.pollEvents(() => {})
    await sleep(500)
  }
}

async function load(): Promise<Driver> {
  const loaded = await openDriver()
  const door = createDoor()
  await door.install()
  const bridge = await ifindexOf('br0')
  const attachments = await Promise.all(
    [senderEndpoint, receiverEndpoint].map(async (endpoint, index) => ({
      endpoint: toBenchEndpointId(endpoint),
      device: endpoint.device,
      ifindex: await ifindexOf(endpoint.device),
      segment: order.way === 'two' ? bridge + index : bridge,
    })),
  )
  const done = await loaded.reconcile(makeBenchPlan(order.size), attachments)
  const closed = done.endpoints.find((endpoint) => endpoint.state === 'closed')
  if (done.outcome === 'failed') throw new Error(done.reason ?? 'the driver failed')
  if (closed !== undefined) throw new Error(`${closed.device} stayed closed: ${closed.reason}`)
  for (const attachment of attachments) await door.open(attachment.ifindex)
  return loaded
}

async function openDriver(): Promise<Driver> {
  if (order.way === 'nftables') return createNftablesDriver({ host: benchHost, now: () => new Date() })
  await execOk('mount', ['-t', 'bpf', 'bpf', order.pinRoot])
  const created = createEbpfDriver({
    objectPath: order.objectPath,
    pinRoot: `${order.pinRoot}/hyperward`,
    host: benchHost,
    now: () => new Date(),
  })
  if (!created.known) throw new Error(created.reason)
  return created.value
}

async function ifindexOf(device: string): Promise<number> {
  const { stdout } = await execOk('ip', ['-json', 'link', 'show', 'dev', device])
  // as: the shape that iproute2 writes; anything else fails in the next line
  const index = (JSON.parse(stdout) as readonly { readonly ifindex?: number }[])[0]?.ifindex
  if (index === undefined) throw new Error(`no interface ${device} on the host`)
  return index
}
