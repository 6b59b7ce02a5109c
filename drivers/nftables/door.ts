/**
 * The closed door (DESIGN §4): a standing rule that drops all from and to a VM's tap that no program guards yet. It is loaded at boot before libvirtd and belongs
 * to no process. It stands at bridges; what is attached to Open vSwitch or routed needs that switch's own.
 */
import { known, type Observed } from '@hyperward/model'

import { applyScript } from './apply.ts'
import type { DoorContent } from './decode.ts'
import { observeDoor } from './observe.ts'
import { renderClose, renderInstall, renderOpen } from './render.ts'

export interface Door {
  /** Makes the door, or repairs its rules; who is guarded stays. Throws when nft refuses. */
  install(): Promise<void>
  /** From now on the device may pass: call it only after its program enforces. */
  open(ifindex: number): Promise<void>
  close(ifindex: number): Promise<void>
  observe(): Promise<Observed<DoorContent>>
  openIndexes(): Promise<Observed<ReadonlySet<number>>>
  /** Forgets those that no device has any more. Returns how many there were. */
  prune(existing: ReadonlySet<number>): Promise<Observed<number>>
}

export interface DoorOptions {
  /** Names of taps; `*` at the end stands for anything. Default: libvirt's `vnet*`, and `tap*`. */
  readonly tapPatterns?: readonly string[]
}

export const defaultTapPatterns: readonly string[] = ['vnet*', 'tap*']

export function createDoor(options: DoorOptions = {}): Door {
  const script = renderInstall(options.tapPatterns ?? defaultTapPatterns)
  return {
    install: () => applyScript(script),
    open: (ifindex) => applyScript(renderOpen(ifindex)),
    close: (ifindex) => applyScript(renderClose([ifindex])),
    observe: observeDoor,
    async openIndexes() {
      const observed = await observeDoor()
      return observed.known ? known(observed.value.guarded) : observed
    },
    async prune(existing) {
      const observed = await observeDoor()
      if (!observed.known) return observed
      const gone = [...observed.value.guarded].filter((ifindex) => !existing.has(ifindex)).sort((a, b) => a - b)
      if (gone.length > 0) await applyScript(renderClose(gone))
      return known(gone.length)
    },
  }
}
