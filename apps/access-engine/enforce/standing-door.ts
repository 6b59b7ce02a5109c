/**
 * The door as the engine relies on it: a door that is gone or lacks a rule (someone flushed nft's rules) is put up again before anything is opened, and that is
 * told. Nobody is guarded then, so all is closed until the round opens it again.
 */
import type { Observed } from '@hyperward/model'

import type { Door } from './enforcer.ts'

export interface BareDoor extends Pick<Door, 'open' | 'close'> {
  install(): Promise<void>
  observe(): Promise<Observed<{ readonly guarded: ReadonlySet<number>; readonly rules: number }>>
}

export interface StandingDoorOptions {
  readonly door: BareDoor
  /** Rules of a whole door. */
  readonly wholeRules: number
  readonly onRepaired: (what: string) => void
}

export function createStandingDoor(options: StandingDoorOptions): Door {
  const { door } = options

  async function openIndexes(): Promise<Observed<ReadonlySet<number>>> {
    const observed = await door.observe()
    if (observed.known && observed.value.rules >= options.wholeRules)
      return { known: true, value: observed.value.guarded }
    try {
      await door.install()
    } catch (error) {
      return {
        known: false,
        reason: `the door cannot be put up: ${error instanceof Error ? error.message : String(error)}`,
      }
    }
    const again = await door.observe()
    if (!again.known) return again
    options.onRepaired(observed.known ? 'the closed door lacked rules' : observed.reason)
    return { known: true, value: again.value.guarded }
  }

  return { openIndexes, open: (ifindex) => door.open(ifindex), close: (ifindex) => door.close(ifindex) }
}
