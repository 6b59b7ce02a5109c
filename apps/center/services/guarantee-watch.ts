/** Guarantees of the policy in force: what an inventory or a schedule breaks cannot be refused, so it is told, once, and told again when it holds. */
import { OperationError } from '@hyperward/model'
import { describeBreach, type Compilation, type GuaranteeResult } from '@hyperward/policy'

import type { PolicyWorker } from '../policy/policy-worker.ts'
import { toldAtOnce, type Recorder } from './recorder.ts'

export interface GuaranteeWatch {
  /** Fails with `policy.question-too-long`. */
  prove(compiled: Compilation): Promise<readonly GuaranteeResult[]>
  /** Of what is in force now. */
  tell(results: readonly GuaranteeResult[]): Promise<void>
  /** Proves and tells beside all else: neither the next change nor a start waits for it. Of several compilations the last is proved. */
  watch(compiled: Compilation, options: WatchOptions): void
  /** Names of those that do not hold now. */
  broken(): readonly string[]
  /** Resolves when all that is watched is told. */
  settled(): Promise<void>
  stop(): void
}

export interface WatchOptions {
  /** False = another policy was published meanwhile: its own proof has been told. */
  readonly isCurrent: () => boolean
  readonly onUnknown: (reason: string) => Promise<void>
}

export function createGuaranteeWatch(dependencies: {
  readonly recorder: Recorder
  readonly worker: PolicyWorker
  readonly onFailure: (error: unknown) => void
}): GuaranteeWatch {
  const { recorder, worker, onFailure } = dependencies
  let broken: ReadonlySet<string> = new Set()
  let stopped = false
  let waiting: { readonly compiled: Compilation; readonly options: WatchOptions } | null = null
  let working: Promise<void> | null = null

  const prove: GuaranteeWatch['prove'] = async ({ resolved: { policy, inventory } }) =>
    policy.guarantees.length === 0 ? [] : worker.ask('guarantees', { policy: { kind: 'policy', policy }, inventory })

  const check = async (compiled: Compilation, { isCurrent, onUnknown }: WatchOptions): Promise<void> => {
    try {
      const results = await prove(compiled)
      if (!stopped && isCurrent()) await tell(results)
    } catch (error) {
      if (!(error instanceof OperationError) || error.code !== 'policy.question-too-long') throw error
      if (!stopped && isCurrent()) await onUnknown(`whether the guarantees hold is not known: ${error.message}`)
    }
  }

  const work = async (): Promise<void> => {
    for (let next = waiting; next !== null; next = waiting) {
      waiting = null
      await check(next.compiled, next.options).catch(onFailure)
    }
    working = null
  }

  const tell: GuaranteeWatch['tell'] = async (results) => {
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
  }

  return {
    prove,
    tell,
    watch(compiled, options) {
      waiting = { compiled, options }
      working ??= work()
    },
    broken: () => [...broken],
    async settled() {
      await working
    },
    stop() {
      stopped = true
    },
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
