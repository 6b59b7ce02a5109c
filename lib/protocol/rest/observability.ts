/** REST: what the center knows to have happened: status, rule counters, flows, events, audit; and enrolment. */
import { z } from 'zod'

import {
  actionSchema,
  cursorSchema,
  directionSchema,
  limitSchema,
  nameSchema,
  sinceTimeSchema,
  revisionSchema,
  timeSchema,
} from './common.ts'
import { ruleOriginSchema } from './policy.ts'

export const statusSchema = z
  .strictObject({
    center: z.string(),
    software: z.string(),
    startedAt: timeSchema,
    time: timeSchema,
    store: z.strictObject({ kind: z.enum(['embedded', 'url']), serverVersion: z.string(), schema: z.number().int() }),
    revision: revisionSchema,
    hosts: z.strictObject({ total: z.number().int(), connected: z.number().int(), inForce: z.number().int() }),
    endpoints: z.strictObject({ enforced: z.number().int(), closed: z.number().int(), unreported: z.number().int() }),
    /** What of the inventory was left out of the plans (two VMs with one address, …), and so passes nothing; null = nothing. */
    inventoryProblem: z.string().nullable(),
    /** Guarantees that the inventory, a schedule or a date has broken: `tenant/name`, or `/name` for the provider's. */
    brokenGuarantees: z.array(z.string()),
  })
  .meta({ id: 'Status' })

/** `rules` of the published policy first, in order; then rules that are gone but were hit. Counts are summed over hosts and never go down. */
export const ruleHitsSchema = z
  .strictObject({
    rule: ruleOriginSchema,
    /** null = the rule is not in the published policy any more. */
    action: z.enum([...actionSchema.options, 'pass']).nullable(),
    hits: z.number(),
    packets: z.number(),
    bytes: z.number(),
    lastHitAt: timeSchema.nullable(),
  })
  .meta({ id: 'RuleHits' })
export const rulesSchema = z.strictObject({ revision: revisionSchema, rules: z.array(ruleHitsSchema) })

/** A page is ordered by `id`, ascending. Ask on with `since` = the last id seen. Without `since`: the latest `limit`. */
const page = { since: cursorSchema.optional(), limit: limitSchema.optional() }
/** Nothing that happened before, by the clock of the host that told it. */
const sinceTime = sinceTimeSchema.optional()

const flowKindSchema = z.enum(['drop', 'flow-start', 'flow-end', 'monitor'])

export const flowQuerySchema = z.strictObject({
  ...page,
  host: nameSchema.optional(),
  tenant: nameSchema.optional(),
  endpoint: z.string().max(128).optional(),
  /** Every endpoint of this VM. */
  vm: z.guid().optional(),
  sinceTime,
  /** A whole reference, or it without its tier: `acme/shop/web-to-db`. */
  rule: z.string().max(256).optional(),
  /** Either side. */
  address: z.string().max(64).optional(),
  kind: flowKindSchema.optional(),
})

export const flowSchema = z
  .strictObject({
    id: z.number().int(),
    at: timeSchema,
    host: nameSchema,
    kind: flowKindSchema,
    endpoint: z.string(),
    vmName: z.string().nullable(),
    tenant: nameSchema.nullable(),
    direction: directionSchema,
    /** Of a `monitor` record: what the rule would have done. */
    action: actionSchema,
    /** Drop reason (`policy` when a rule decided), or why a flow ended; null for a start. */
    reason: z.string().nullable(),
    rule: z.string().nullable(),
    tuple: z
      .strictObject({
        source: z.string(),
        destination: z.string(),
        protocol: z.number().int(),
        sourcePort: z.number().int(),
        destinationPort: z.number().int(),
      })
      .nullable(),
    sourceMac: z.string().nullable(),
    packets: z.number(),
    bytes: z.number(),
    suppressed: z.number().int(),
  })
  .meta({ id: 'Flow' })
export const flowsSchema = z.strictObject({ flows: z.array(flowSchema) })

export const eventQuerySchema = z.strictObject({
  ...page,
  host: nameSchema.optional(),
  kind: z.string().max(64).optional(),
  sinceTime,
})

/** What agents and the center have to tell (not packets: those are flows). */
export const eventSchema = z
  .strictObject({
    id: z.number().int(),
    at: timeSchema,
    /** null = the center itself. */
    host: nameSchema.nullable(),
    kind: z.string(),
    endpoint: z.string().nullable(),
    message: z.string(),
  })
  .meta({ id: 'Event' })
export const eventsSchema = z.strictObject({ events: z.array(eventSchema) })

/** `GET /v1/events/stream`: NDJSON, one of these a line; `heartbeat` every 15 s; drops and what rules in monitor mode would have done come as `flow` with `?flows=drops`, all flow records with `?flows=all`. A heartbeat has the id of the last flow record told or skipped: `flowsSince` after a break. */
export const streamQuerySchema = z.strictObject({
  since: cursorSchema.optional(),
  flows: z.enum(['none', 'drops', 'all']).optional(),
  /** Tell again from this flow on: at most the last 5,000 records. Without it, only what is new. */
  flowsSince: cursorSchema.optional(),
})
export const streamLineSchema = z
  .discriminatedUnion('type', [
    z.strictObject({ type: z.literal('event'), event: eventSchema }),
    z.strictObject({ type: z.literal('flow'), flow: flowSchema }),
    z.strictObject({ type: z.literal('heartbeat'), at: timeSchema, flow: z.number().int() }),
  ])
  .meta({ id: 'StreamLine' })

export const auditRecordSchema = z
  .strictObject({
    id: z.number().int(),
    at: timeSchema,
    who: z.string(),
    action: z.string(),
    target: z.string(),
    outcome: z.string(),
    /** SHA-256 over the previous record's hash and this record. */
    hash: z.string(),
  })
  .meta({ id: 'AuditRecord' })
export const auditSchema = z.strictObject({ records: z.array(auditRecordSchema) })
export const auditQuerySchema = z.strictObject(page)

/** Enrolment of an agent: no bearer token, the one-time token is the authority. */
export const enrollSchema = z.strictObject({ token: z.string().max(512), csr: z.string().max(16_384) })
export const enrollResultSchema = z
  .strictObject({
    host: nameSchema,
    /** Leaf certificate, PEM. */
    certificate: z.string(),
    /** CA certificate, PEM: what the agent trusts from now on. */
    ca: z.string(),
    endsAt: timeSchema,
  })
  .meta({ id: 'Enrolled' })

export type ApiStatus = z.infer<typeof statusSchema>
export type ApiRuleHits = z.infer<typeof ruleHitsSchema>
export type ApiFlow = z.infer<typeof flowSchema>
export type ApiEvent = z.infer<typeof eventSchema>
export type ApiStreamLine = z.infer<typeof streamLineSchema>
export type ApiAuditRecord = z.infer<typeof auditRecordSchema>
export type ApiEnrolled = z.infer<typeof enrollResultSchema>
