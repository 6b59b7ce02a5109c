/** REST: draft, plan, diff, publish, explain. */
import { z } from 'zod'

import {
  actionSchema,
  diagnosticSchema,
  digestSchema,
  directionSchema,
  fileNameSchema,
  nameSchema,
  revisionSchema,
  timeSchema,
} from './common.ts'

const policyText = z.string().max(8 * 1024 * 1024)

/** As JSON; or the YAML itself with `content-type: text/yaml`. `file` is the name diagnostics use, default `policy.yaml`. */
export const putDraftSchema = z.strictObject({ text: policyText, file: fileNameSchema.optional() })

export const draftSchema = z
  .strictObject({
    /** null = there is no draft. */
    text: z.string().nullable(),
    digest: digestSchema.nullable(),
    storedAt: timeSchema.nullable(),
    storedBy: z.string().nullable(),
    warnings: z.array(diagnosticSchema),
  })
  .meta({ id: 'Draft' })

export const publishedSchema = z
  .strictObject({
    /** 0 = nothing published. */
    revision: revisionSchema,
    text: z.string().nullable(),
    digest: digestSchema.nullable(),
    publishedAt: timeSchema.nullable(),
    publishedBy: z.string().nullable(),
  })
  .meta({ id: 'PublishedPolicy' })

/** A text to try; without it the stored draft. */
export const candidateSchema = z.strictObject({ text: policyText.optional(), file: fileNameSchema.optional() })

export const hostPlanSummarySchema = z.strictObject({
  host: nameSchema,
  digest: digestSchema,
  changed: z.boolean(),
  endpoints: z.number().int(),
  addresses: z.number().int(),
  networks: z.number().int(),
  services: z.number().int(),
  verdicts: z.number().int(),
  rules: z.number().int(),
})

/** What publishing would do; nothing is written. */
export const planResultSchema = z
  .strictObject({
    revision: revisionSchema,
    policyDigest: digestSchema,
    hosts: z.array(hostPlanSummarySchema),
    warnings: z.array(diagnosticSchema),
    compileMs: z.number(),
  })
  .meta({ id: 'PlanResult' })

export const ruleOriginSchema = z
  .strictObject({
    ref: z.string(),
    tier: z.enum(['emergency', 'platform', 'tenant', 'baseline', 'builtin']),
    tenant: nameSchema.nullable(),
    policy: z.string(),
    name: z.string(),
  })
  .meta({ id: 'RuleOrigin' })

const decidedSchema = z.strictObject({ action: actionSchema, rule: ruleOriginSchema })

/** VMs as `tenant/name`, then networks and addresses; `world` = every address that is nobody's. A bounded list; `more` counts the rest. */
const changePartySchema = z.strictObject({ members: z.array(z.string()), more: z.number().int() })

/** Connections whose fate changes, end to end: from every member of `source` to every member of `destination` with each of the services. */
export const verdictChangeSchema = z
  .strictObject({
    source: changePartySchema,
    destination: changePartySchema,
    /** `tcp 5432`, `udp 9000-9010`, `icmp echo-request`, `any`. */
    services: z.array(z.string()),
    before: decidedSchema,
    after: decidedSchema,
  })
  .meta({ id: 'VerdictChange' })

export const diffResultSchema = z
  .strictObject({
    published: revisionSchema,
    changes: z.array(verdictChangeSchema),
    /** Changes left out of the list because it is bounded. */
    more: z.number().int(),
    warnings: z.array(diagnosticSchema),
  })
  .meta({ id: 'DiffResult' })

export const publishSchema = z.strictObject({
  /** Refused (409 `policy.revision-conflict`) when something else was published meanwhile. */
  expectedRevision: revisionSchema.optional(),
  /** Refused (409 `policy.draft-conflict`) when the stored draft is another. */
  expectedDraft: digestSchema.optional(),
})

export const publishResultSchema = z
  .strictObject({
    revision: revisionSchema,
    policyDigest: digestSchema,
    /** false = the same policy and the same plans as before: no new revision was made. */
    changed: z.boolean(),
    hosts: z.array(z.strictObject({ host: nameSchema, digest: digestSchema, changed: z.boolean() })),
    warnings: z.array(diagnosticSchema),
  })
  .meta({ id: 'PublishResult' })

export const hostPublicationSchema = z.strictObject({
  host: nameSchema,
  digest: digestSchema,
  /** `unchanged`: its plan is the one it had. `superseded`: a later revision reached it first. */
  state: z.enum(['unchanged', 'waiting', 'announced', 'fetched', 'applied', 'refused', 'failed', 'superseded']),
  reason: z.string().nullable(),
  connected: z.boolean(),
  /** Milliseconds from publish to the state; null while `waiting` and for `unchanged`. */
  sincePublishMs: z.number().nullable(),
  /** The agent's own measure. */
  appliedInMs: z.number().nullable(),
})

export const publicationSchema = z
  .strictObject({
    revision: revisionSchema,
    cause: z.enum(['publish', 'inventory', 'schedule']),
    at: timeSchema,
    by: z.string(),
    policyDigest: digestSchema,
    /** Every host is `applied` or `unchanged` (and was in force), or a later revision is. */
    inForce: z.boolean(),
    hosts: z.array(hostPublicationSchema),
  })
  .meta({ id: 'Publication' })

export const publicationsSchema = z.strictObject({ publications: z.array(publicationSchema.omit({ hosts: true })) })

export const explainSchema = z.strictObject({
  source: z.string().max(64),
  destination: z.string().max(64),
  /** IANA number. */
  protocol: z.number().int().min(0).max(255),
  /** Destination port or ICMP type; absent for other protocols. */
  port: z.number().int().min(0).max(65_535).optional(),
  policy: z.enum(['draft', 'published']),
})

const partySchema = z.strictObject({
  address: z.string(),
  identity: z.number().int(),
  endpoint: z.string().nullable(),
  vmName: z.string().nullable(),
  tenant: nameSchema.nullable(),
  host: nameSchema.nullable(),
})

/** A rule of the provider or of the endpoint's tenant, in order of evaluation, and what became of it. */
const walkStepSchema = z.strictObject({
  rule: ruleOriginSchema,
  action: z.enum(['allow', 'allow-stateless', 'drop', 'reject', 'inspect', 'pass']),
  outcome: z.enum([
    'decides',
    'passes',
    'monitors',
    'expired',
    'off-schedule',
    'other-direction',
    'not-applied-here',
    'other-source',
    'other-destination',
    'other-service',
    'after-decision',
    'tier-passed',
  ]),
  /** The packet is its own, though it was not asked or does not hold now. */
  wouldMatch: z.boolean(),
})

const sideSchema = z.strictObject({
  direction: directionSchema,
  endpoint: z.string(),
  decided: decidedSchema,
  /** Of `inspect`: the gateway's profile. */
  profile: z.string().nullable(),
  /** The first rule in monitor mode that would have decided. */
  monitor: ruleOriginSchema.nullable(),
  /** Every rule of the provider and of the endpoint's tenant, in order, and what became of it. */
  walk: z.array(walkStepSchema),
})

export const explanationSchema = z.strictObject({
  /** Passes only if every side that is enforced allows it. */
  action: actionSchema,
  source: partySchema,
  destination: partySchema,
  /** Egress at the source, ingress at the destination, each where there is an endpoint of ours. */
  sides: z.array(sideSchema),
})

export const packetSchema = z.strictObject({
  source: z.string(),
  destination: z.string(),
  protocol: z.number().int(),
  /** Destination port or ICMP type; null for protocols that have neither. */
  port: z.number().int().nullable(),
})

export const explainResultSchema = explanationSchema
  .extend({ policy: z.enum(['draft', 'published']), revision: revisionSchema })
  .meta({ id: 'ExplainResult' })

export type ApiDraft = z.infer<typeof draftSchema>
export type ApiPublished = z.infer<typeof publishedSchema>
export type ApiPlanResult = z.infer<typeof planResultSchema>
export type ApiDiffResult = z.infer<typeof diffResultSchema>
export type ApiVerdictChange = z.infer<typeof verdictChangeSchema>
export type ApiPublishResult = z.infer<typeof publishResultSchema>
export type ApiPublication = z.infer<typeof publicationSchema>
export type ApiHostPublication = z.infer<typeof hostPublicationSchema>
export type ApiExplainResult = z.infer<typeof explainResultSchema>
export type ApiWalkStep = z.infer<typeof walkStepSchema>
export type ApiExplanation = z.infer<typeof explanationSchema>
