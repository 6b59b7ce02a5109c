/** A plan's canonical text from the texts of its chunks, byte for byte what `planText` of core/policy makes of the plan. */
import type { FetchedBodies } from './fetch-plan.ts'
import { planSectionNames } from './plan-messages.ts'

export interface PlanHead {
  readonly format: number
  readonly host: string
  readonly revision: number
  readonly digest: string
}

export function assemblePlanText({ format, host, revision, digest }: PlanHead, bodies: FetchedBodies): string {
  const sections = planSectionNames.map((name) => {
    // each body is an array's text: its items go into one array
    const items = bodies[name].map((body) => body.slice(1, -1)).filter((text) => text !== '')
    return `${JSON.stringify(name)}:[${items.join(',')}]`
  })
  return `${JSON.stringify({ format, host, revision, digest }).slice(0, -1)},"sections":{${sections.join(',')}}}`
}
