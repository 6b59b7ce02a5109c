/** What a host's kernel was found to hold, beside the plan it enforces: what an agent answers to `verify`, and the center gives on. */
import { z } from 'zod'

const text = z.string().max(4096)
const count = z.number().int().nonnegative()

export const realizedEndpointSchema = z.strictObject({
  endpoint: text,
  vmName: text,
  device: text.nullable(),
  /** `realized`: as the plan says. `differs`: guarded, and not as the plan says. `closed`: nothing passes, with the reason. */
  state: z.enum(['realized', 'differs', 'closed']),
  reason: text.nullable(),
  /** Verdict rows found for its addresses. */
  rows: count,
  findings: z.array(text).max(1000),
})

export const realizedTableSchema = z.strictObject({
  table: z.enum(['addresses', 'networks', 'services', 'verdicts']),
  /** As found. */
  rows: count,
  missing: count,
  surplus: count,
  different: count,
})

export const realizedStateSchema = z.strictObject({
  /** The plan it was compared with: the one that is enforced. */
  plan: z.strictObject({ revision: count, digest: text }).nullable(),
  endpoints: z.array(realizedEndpointSchema).max(10_000),
  tables: z.array(realizedTableSchema).max(16),
})

export type RealizedState = z.infer<typeof realizedStateSchema>
export type RealizedEndpointState = z.infer<typeof realizedEndpointSchema>
