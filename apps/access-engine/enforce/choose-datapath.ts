/**
 * Which driver guards this host's taps: eBPF where the kernel can, else nftables, unless the configuration names one. What the other driver may have left from an earlier
 * run stays in force until the chosen one has enforced, so that no moment is without either; then it is taken away.
 */
import type { Observed } from '@hyperward/model'

import { createClosedDatapath, type EngineDatapath } from './engine-datapath.ts'

export type DatapathWish = 'auto' | 'ebpf' | 'nftables'

export interface Driver {
  /** Unknown, with the reason, where this kernel cannot run it. */
  open(): Promise<Observed<EngineDatapath>>
  /** Takes away what an earlier run of it left; nothing there is no failure. */
  removeLeft(): Promise<void>
}

export interface ChosenDatapath {
  readonly datapath: EngineDatapath
  readonly driver: 'ebpf' | 'nftables' | 'none'
  /** Why this one, in a sentence. */
  readonly reason: string
  /** What this kernel lacks of what was tried; null = nothing. */
  readonly lacks: string | null
}

export async function chooseDatapath(
  wish: DatapathWish,
  drivers: { readonly ebpf: Driver; readonly nftables: Driver },
  onLeftover: (problem: string) => void,
): Promise<ChosenDatapath> {
  const order = wish === 'auto' ? (['ebpf', 'nftables'] as const) : ([wish] as const)
  const lacks: string[] = []
  for (const driver of order) {
    const opened = await drivers[driver].open()
    if (!opened.known) {
      lacks.push(`the ${driver} driver cannot run: ${opened.reason}`)
      continue
    }
    const other = driver === 'ebpf' ? drivers.nftables : drivers.ebpf
    const reason =
      wish !== 'auto'
        ? 'the configuration names it'
        : lacks.length === 0
          ? 'the kernel has all it needs'
          : lacks.join('; ')
    return {
      datapath: takeOver(opened.value, () => other.removeLeft(), onLeftover),
      driver,
      reason,
      lacks: lacks.length === 0 ? null : `${lacks.join('; ')}; ${driver} enforces`,
    }
  }
  const closed = `${lacks.join('; ')}; every endpoint stays closed`
  return { datapath: createClosedDatapath(closed), driver: 'none', reason: closed, lacks: closed }
}

/** Removes what the other driver left after the first round that did not fail; tried again at each round until it is done. */
function takeOver(
  datapath: EngineDatapath,
  removeLeft: () => Promise<void>,
  onLeftover: (problem: string) => void,
): EngineDatapath {
  let left = true
  return {
    ...datapath,
    async reconcile(plan, attachments, inspection) {
      const report = await datapath.reconcile(plan, attachments, inspection)
      if (!left || report.outcome === 'failed') return report
      try {
        await removeLeft()
        left = false
      } catch (error) {
        onLeftover(error instanceof Error ? error.message : String(error))
      }
      return report
    },
  }
}
