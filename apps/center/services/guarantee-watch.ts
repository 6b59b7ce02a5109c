/** Guarantees of the policy in force: what an inventory or a schedule breaks cannot be refused, so it is told, once, and told again when it holds. */
import { OperationError } from '@hyperward/model'
import { describeBreach, type GuaranteeResult } from '@hyperward/policy'

import { toldAtOnce, type Recorder } from './recorder.ts'

export interface GuaranteeWatch {
  /** Of what is in force now. */
  tell(results: readonly GuaranteeResult[]): Promise<void>
  /** Names of those that do not hold now. */
  broken(): readonly string[]
}

export function createGuaranteeWatch(recorder: Recorder): GuaranteeWatch {
  let broken: ReadonlySet<string> = new Set()
  return {
    async tell(results) {
      const before = broken
      const failing = results.filter((each) => !each.holds)
      broken = new Set(failing.map((each) => each.guarantee.name))
      const fresh = failing.filter((each) => !before.has(each.guarantee.name))
      for (const each of fresh.slice(0, toldAtOnce)) {
        await recorder.event(null, 'guarantee-broken', describeBreach(each))
      }
      const more = fresh.length - toldAtOnce
      if (more > 0) await recorder.event(null, 'guarantee-broken', `${more} more guarantees do not hold`)
      const again = [...before].filter((name) => !broken.has(name))
      for (const name of again.slice(0, toldAtOnce)) {
        const isGone = !results.some((each) => each.guarantee.name === name)
        const fate = isGone ? 'is not in the policy any more' : 'holds again'
        await recorder.event(null, 'guarantee-holds-again', `guarantee ${name} ${fate}`)
      }
    },
    broken: () => [...broken],
  }
}

/** A policy under which one does not hold is not published. */
export function refuseBroken(results: readonly GuaranteeResult[]): void {
  const broken = results.filter((each) => !each.holds)
  const [first] = broken
  if (first === undefined) return
  const others = broken.length === 1 ? '' : ` ${broken.length} guarantees do not hold.`
  const packet = first.counterexample?.packet
  throw new OperationError(
    'policy.guarantee-broken',
    `${describeBreach(first)}.${others} Nothing is published; the policy in force stays`,
    {
      guarantee: first.guarantee.name,
      broken: broken.length,
      ...(packet === undefined
        ? {}
        : {
            source: packet.source,
            destination: packet.destination,
            protocol: packet.protocol,
            port: packet.port ?? null,
          }),
    },
  )
}
