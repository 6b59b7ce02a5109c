/** The plan held now as chunks: what need not be fetched of the next one. */
import { parseDigest, type Digest, type HostName, type HostPlan } from '@hyperward/model'
import { cutSections, digestPlan, type PlanSection, type Sha256 } from '@hyperward/policy'
import type { HeldSection, HeldSections, SectionDigestTexts } from '@hyperward/protocol'

export function toHeldSections(plan: HostPlan, sha256: Sha256): HeldSections {
  const cut = cutSections(plan.sections, sha256)
  return {
    endpoints: toHeld(cut.endpoints),
    zones: toHeld(cut.zones),
    addresses: toHeld(cut.addresses),
    networks: toHeld(cut.networks),
    services: toHeld(cut.services),
    verdicts: toHeld(cut.verdicts),
    rules: toHeld(cut.rules),
  }
}

function toHeld({ digest, chunks }: PlanSection): HeldSection {
  // the texts are made only of what is needed: they are as large as the plan
  return { digest, chunks: chunks.map((chunk) => ({ digest: chunk.digest, body: () => JSON.stringify(chunk.items) })) }
}

/** The digest that a plan of this host has whose sections have these digests. */
export function digestTold(host: HostName, told: SectionDigestTexts, sha256: Sha256): string {
  const section = (text: string): { readonly digest: Digest; readonly chunks: readonly [] } => {
    const digest = parseDigest(text)
    if (digest === null) throw new Error(`the protocol let a wrong digest through: ${text}`)
    return { digest, chunks: [] }
  }
  return digestPlan(
    host,
    {
      endpoints: section(told.endpoints),
      zones: section(told.zones),
      addresses: section(told.addresses),
      networks: section(told.networks),
      services: section(told.services),
      verdicts: section(told.verdicts),
      rules: section(told.rules),
    },
    sha256,
  )
}
