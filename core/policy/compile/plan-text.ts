import type { HostPlan } from '@hyperward/model'

/** A plan as it goes over the wire and to disk: JSON with fields in one fixed order, no spaces. */
export function planText(plan: HostPlan): string {
  const { format, host, revision, digest } = plan
  const { endpoints, zones, addresses, networks, services, verdicts, rules } = plan.sections
  return JSON.stringify({
    format,
    host,
    revision,
    digest,
    sections: { endpoints, zones, addresses, networks, services, verdicts, rules },
  })
}
