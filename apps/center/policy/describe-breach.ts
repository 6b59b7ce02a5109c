import { describeRange, type ExplainedAddress, type GuaranteeResult } from '@hyperward/policy'

/** A guarantee that does not hold, with the packet that shows it, as one sentence without its stop. */
export function describeBreach({ guarantee, counterexample }: GuaranteeResult): string {
  const claim = `guarantee ${guarantee.name} (${guarantee.kind}) does not hold`
  if (counterexample === null) return claim
  const { packet, explanation } = counterexample
  const { protocol, port = 0 } = packet
  const service = describeRange({ protocol, from: port, to: port })
  const sides = explanation.sides.map((side) => `${side.direction}: ${side.action} by ${side.ref}`)
  const fate = sides.length === 0 ? explanation.verdict : `${explanation.verdict} (${sides.join('; ')})`
  return `${claim}: ${service} from ${describeParty(explanation.source)} to ${describeParty(explanation.destination)} is ${fate}`
}

function describeParty({ address, tenant, vmName }: ExplainedAddress): string {
  return vmName === null ? address : `${tenant ?? '?'}/${vmName} (${address})`
}
