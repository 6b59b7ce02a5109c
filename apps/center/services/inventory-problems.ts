/** What of the inventory is contested or was left out of the plans: who keeps what is contested is stored, and each change is told as an event, once. */
import { replaceHolders, type HolderRow, type Store } from '@hyperward/store'

import type { Contest, InventoryView } from './inventory-view.ts'
import { toldAtOnce, type Recorder } from './recorder.ts'

export interface InventoryProblems {
  start(): Promise<void>
  /** Who keeps what is contested is stored before a plan is made of it. */
  settleContests(): Promise<void>
  /** `found`: what a compile said, or why it was not put in force. */
  tell(found: readonly string[]): Promise<void>
  /** null = nothing. */
  current(): string | null
}

export function createInventoryProblems(dependencies: {
  readonly store: Store
  readonly inventory: Pick<InventoryView, 'contests' | 'problems'>
  readonly recorder: Recorder
}): InventoryProblems {
  const { store, inventory, recorder } = dependencies
  let problem: string | null = null
  let contests: readonly Contest[] = []
  return {
    async start() {
      contests = inventory.contests()
      await store.transaction((tx) => replaceHolders(tx, contests.map(toHolder)))
    },
    async settleContests() {
      const before = new Set(contests.map((each) => each.message))
      const rows = JSON.stringify(contests.map(toHolder))
      contests = inventory.contests()
      const holders = contests.map(toHolder)
      if (JSON.stringify(holders) !== rows) await store.transaction((tx) => replaceHolders(tx, holders))
      const fresh = contests.filter((each) => !before.has(each.message))
      for (const { host, message } of fresh.slice(0, toldAtOnce)) {
        await recorder.event(host, 'inventory-contested', message)
      }
      const more = fresh.length - toldAtOnce
      if (more > 0) await recorder.event(null, 'inventory-contested', `${more} more claims are contested`)
    },
    async tell(found) {
      const said = [...found, ...contests.map((each) => each.message), ...inventory.problems()]
      const before = problem
      const more = said.length - toldAtOnce
      problem = said.length === 0 ? null : said.slice(0, toldAtOnce).join('; ') + (more > 0 ? `; and ${more} more` : '')
      if (problem === before) return
      await recorder.event(null, 'inventory-problem', problem ?? 'the inventory has no problem any more')
    },
    current: () => problem,
  }
}

function toHolder({ claim, holder }: Contest): HolderRow {
  return { claim, holder }
}
