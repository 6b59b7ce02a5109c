/**
 * Takes all protection of this host away, on purpose only: our filters on every tap, what we pinned, and the closed door. It ends behind the closed door: should
 * anything fail on the way, the taps are closed and not open. The state directory stays. Objects of others are never named.
 */
import { existsSync } from 'node:fs'
import { readdir, rmdir, statfs, unlink } from 'node:fs/promises'
import { join } from 'node:path'

import { known, OperationError, unknown, type HostPlan, type Observed } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'

import type { DatapathReport, Door } from './enforce/enforcer.ts'

export interface RemoveOptions {
  /** All drivers that may have something in the kernel. */
  readonly openDatapath: () => Observed<{
    reconcile(plan: HostPlan | null, attachments: readonly []): Promise<DatapathReport>
    close(): void
  }>
  readonly door: Pick<Door, 'close' | 'openIndexes'> & { install(): Promise<void> }
  readonly takeDoorAway: () => Promise<void>
  readonly pinRoot: string
}

export interface Removed {
  /** Taps that were open under our programs. */
  readonly guarded: number
  readonly steps: number
  readonly pins: number
}

/** Fails with `engine.remove-failed`, or with what nft said. */
export async function removeProtection(options: RemoveOptions): Promise<Removed> {
  const { door } = options
  const datapath = options.openDatapath()
  if (!datapath.known) throw failed(datapath.reason, 'nothing was changed')
  try {
    await door.install()
    const open = await door.openIndexes()
    if (!open.known) throw failed(open.reason, 'nothing was changed')
    for (const ifindex of open.value) await door.close(ifindex)
    const report = await datapath.value.reconcile(null, [])
    if (report.outcome === 'failed') throw failed(report.reason ?? 'the programs stay', 'every tap is closed')
    const pins = await unpin(options.pinRoot)
    if (!pins.known) throw failed(pins.reason, 'every tap is closed')
    await options.takeDoorAway()
    return { guarded: open.value.size, steps: report.steps, pins: pins.value }
  } finally {
    datapath.value.close()
  }
}

const bpfMagic = 0xcafe4a11
/** The folders drivers/ebpf makes, of this layout and earlier ones. */
const pinFolder = /^hyperward-\d+$/

/** Only our folders, only files in them, and only in a bpf file system; the root goes if nothing else is in it. */
async function unpin(pinRoot: string): Promise<Observed<number>> {
  if (!existsSync(pinRoot)) return known(0)
  let pins = 0
  try {
    if ((await statfs(pinRoot)).type !== bpfMagic) return unknown(`${pinRoot} is not in a bpf file system`)
    for (const name of (await readdir(pinRoot)).filter((one) => pinFolder.test(one))) {
      const folder = join(pinRoot, name)
      for (const pin of await readdir(folder)) {
        await unlink(join(folder, pin))
        pins += 1
      }
      await rmdir(folder)
    }
  } catch (error) {
    return unknown(`${pinRoot} could not be emptied: ${error instanceof Error ? error.message : String(error)}`)
  }
  try {
    await rmdir(pinRoot)
  } catch (error) {
    // others' pins, or a mount point: it is not ours alone
    const code = errnoCode(error)
    if (code === null || !['ENOTEMPTY', 'EBUSY', 'EPERM', 'EACCES'].includes(code)) throw error
  }
  return known(pins)
}

function failed(reason: string, holds: string): OperationError {
  const message = `protection could not be removed: ${reason}; ${holds}; run it again, or start the access engine to enforce again`
  return new OperationError('engine.remove-failed', message, {})
}
