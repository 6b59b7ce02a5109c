/** What became of a guarantee, in the form of the API: the center tells it, and so does a CLI that has files and no center. */
import type { GroupName, Guarantee, TenantName } from '@hyperward/model'

import type { ExplainedAddress } from '../explain/explain.ts'
import { tellExplanation, type ToldExplanation } from '../explain/tell-explanation.ts'
import { describeRange } from '../symbolic/describe-services.ts'
import type { Counterexample, GuaranteeResult } from './prove-guarantees.ts'

export interface ToldGuarantee {
  readonly name: GroupName
  readonly tenant: TenantName | null
  readonly kind: Guarantee['kind']
  readonly description: string | null
  readonly holds: boolean
  readonly vacuous: boolean
  readonly brokenPairs: number
  readonly countIsBound: boolean
  readonly counterexample: {
    readonly packet: {
      readonly source: string
      readonly destination: string
      readonly protocol: number
      readonly port: number | null
    }
    readonly explanation: ToldExplanation
    readonly sentence: string
  } | null
}

export function tellProof(result: GuaranteeResult): ToldGuarantee {
  const { guarantee, holds, vacuous, brokenPairs, countIsBound, counterexample } = result
  const { name, tenant, kind, description = null } = guarantee
  const told = { name, tenant, kind, description, holds, vacuous, brokenPairs, countIsBound }
  if (counterexample === null) return { ...told, counterexample }
  const { packet, explanation } = counterexample
  return {
    ...told,
    counterexample: {
      packet: { ...packet, port: packet.port ?? null },
      explanation: tellExplanation(explanation),
      sentence: describeBreach(result),
    },
  }
}

/** A guarantee that does not hold, with the packet that shows it, as one sentence without its stop. */
export function describeBreach({ guarantee, counterexample }: GuaranteeResult): string {
  const claim = `guarantee ${guarantee.name} (${guarantee.kind}) does not hold`
  return counterexample === null ? claim : `${claim}: ${describeCounterexample(counterexample)}`
}

/** The packet and its fate: `tcp 22 from … to … is allow (ingress: allow by …)`. */
export function describeCounterexample({ packet, explanation }: Counterexample): string {
  const { protocol, port = 0 } = packet
  const service = describeRange({ protocol, from: port, to: port })
  const sides = explanation.sides.map((side) => `${side.direction}: ${side.action} by ${side.ref}`)
  const fate = sides.length === 0 ? explanation.verdict : `${explanation.verdict} (${sides.join('; ')})`
  return `${service} from ${describeParty(explanation.source)} to ${describeParty(explanation.destination)} is ${fate}`
}

function describeParty({ address, tenant, vmName }: ExplainedAddress): string {
  return vmName === null ? address : `${tenant ?? '?'}/${vmName} (${address})`
}
