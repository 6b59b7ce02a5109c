/**
 * Stands for the access engine in the host's network namespace: loads the bench's plan through the product's driver, tells how it went in a file, and
 * stays until it is ended. It runs in a mount namespace of its own (`unshare -m`), so that its BPF file system, and all pinned there, ends with it.
 */
import { rename, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

import { createEbpfDriver } from '@hyperward/driver-ebpf'
import { execOk } from '@hyperward/os'

import { receiverEndpoint, senderEndpoint } from './endpoints.ts'
import { benchHost, makeBenchPlan, toBenchEndpointId } from './ours-plan.ts'

export interface RunnerOrder {
  readonly size: number
  /** One network segment for both endpoints: packets are handed over directly. Two: they pass the bridge. */
  readonly segments: 'one' | 'two'
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
const report: RunnerReport = await load().then(
  () => ({ failure: null }),
  (error: unknown) => ({ failure: error instanceof Error ? error.message : String(error) }),
)
await writeFile(`${order.reportPath}.new`, JSON.stringify(report))
await rename(`${order.reportPath}.new`, order.reportPath)
// a bench that was killed leaves no runner behind
while (report.failure === null && process.ppid === parent) await sleep(500)
process.exit(0)

async function load(): Promise<void> {
  await execOk('mount', ['-t', 'bpf', 'bpf', order.pinRoot])
  const driver = await createEbpfDriver({
    objectPath: order.objectPath,
    pinRoot: `${order.pinRoot}/hyperward`,
    host: benchHost,
    now: () => new Date(),
  })
  const bridge = await ifindexOf('br0')
  const attachments = await Promise.all(
    [senderEndpoint, receiverEndpoint].map(async (endpoint, index) => ({
      endpoint: toBenchEndpointId(endpoint),
      device: endpoint.device,
      ifindex: await ifindexOf(endpoint.device),
      segment: order.segments === 'one' ? bridge : bridge + index,
    })),
  )
  const outcome = await driver.reconcile(makeBenchPlan(order.size), attachments)
  console.error(outcome)
}

async function ifindexOf(device: string): Promise<number> {
  const { stdout } = await execOk('ip', ['-json', 'link', 'show', 'dev', device])
  // as: the shape that iproute2 writes; anything else fails in the next line
  const index = (JSON.parse(stdout) as readonly { readonly ifindex?: number }[])[0]?.ifindex
  if (index === undefined) throw new Error(`no interface ${device} on the host`)
  return index
}
