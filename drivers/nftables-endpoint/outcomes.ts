/** Numbers for what verdicts decide: rule, action, and rule in monitor mode. They stay while the process lives, so that a changed plan changes few elements. */
import type { HostPlanSections, RuleRef } from '@hyperward/model'

import { actionNumbers, logFlag, monitorFlag, outcomeShift, rateFlag } from './names.ts'

export interface Outcome {
  readonly action: keyof typeof actionNumbers
  readonly rule: number
  readonly ref: RuleRef
  readonly monitor: number | null
  readonly monitorRef: RuleRef | null
  readonly monitorAction: keyof typeof actionNumbers | null
  /** Connections or drops told a second. */
  readonly logRate: number | null
}

export interface Outcomes {
  /** The value in the maps. */
  numberOf(action: string, rule: number, monitor: number | undefined, sections: HostPlanSections): number
  get(number: number): Outcome | null
}

const limit = 2 ** 24

export function createOutcomes(): Outcomes {
  const numbers = new Map<string, number>()
  const outcomes: Outcome[] = []
  let rulesOf: HostPlanSections['rules'] | null = null
  let rules = new Map<number, HostPlanSections['rules'][number]>()
  return {
    numberOf(action, rule, monitor, sections) {
      if (rulesOf !== sections.rules) {
        rulesOf = sections.rules
        rules = new Map(sections.rules.map((one) => [one.number, one]))
      }
      const decides = rules.get(rule)
      const monitors = monitor === undefined ? undefined : rules.get(monitor)
      if (decides === undefined || !isAction(action))
        throw new Error(`a verdict names rule ${rule}, which the plan lacks`)
      const logRate = decides.logRate ?? null
      const flags =
        (decides.log ? logFlag : 0) | (monitors === undefined ? 0 : monitorFlag) | (logRate === null ? 0 : rateFlag)
      const key = `${action} ${decides.ref} ${monitors?.ref ?? ''} ${monitors?.action ?? ''} ${flags} ${logRate ?? ''}`
      const found = numbers.get(key)
      if (found !== undefined) return found
      if (outcomes.length >= limit) throw new Error('too many rules since the start')
      const number = ((outcomes.length << outcomeShift) | flags | actionNumbers[action]) >>> 0
      const monitorAction = monitors !== undefined && isAction(monitors.action) ? monitors.action : null
      outcomes.push({
        action,
        rule,
        ref: decides.ref,
        monitor: monitors?.number ?? null,
        monitorRef: monitors?.ref ?? null,
        monitorAction,
        logRate,
      })
      numbers.set(key, number)
      return number
    },
    get: (number) => outcomes[number >>> outcomeShift] ?? null,
  }
}

function isAction(action: string): action is keyof typeof actionNumbers {
  return Object.hasOwn(actionNumbers, action)
}
