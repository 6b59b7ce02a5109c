/** REST: questions about a policy over the present inventory: prove, reach, lint, simulate, recommend. Nothing is written. */
import { z } from 'zod'

import { actionSchema, diagnosticSchema, nameSchema, sinceTimeSchema, timeSchema } from './common.ts'
import { candidateSchema, explanationSchema, packetSchema } from './policy.ts'

/** A text to try; without it the stored draft, or with `policy: published` what is in force. */
export const questionSchema = candidateSchema.extend({ policy: z.enum(['draft', 'published']).optional() })

export const guaranteeResultSchema = z
  .strictObject({
    /** `tenant/name`, or `/name` for the provider's. */
    name: z.string(),
    tenant: nameSchema.nullable(),
    kind: z.enum(['never', 'always', 'only-through']),
    description: z.string().nullable(),
    holds: z.boolean(),
    /** It says something about no packet at all. */
    vacuous: z.boolean(),
    brokenPairs: z.number().int(),
    /** More pairs than `brokenPairs` may break it. */
    countIsBound: z.boolean(),
    /** A connection that breaks it, and why. */
    counterexample: z
      .strictObject({ packet: packetSchema, explanation: explanationSchema, sentence: z.string() })
      .nullable(),
  })
  .meta({ id: 'GuaranteeResult' })

export const proveResultSchema = z
  .strictObject({ guarantees: z.array(guaranteeResultSchema), warnings: z.array(diagnosticSchema) })
  .meta({ id: 'ProveResult' })

/** One of the two: an address, anybody's, or all addresses of a VM. */
export const reachQuestionSchema = questionSchema
  .extend({ address: z.string().max(64).optional(), vm: z.guid().optional() })
  .refine(({ address, vm }) => (address === undefined) !== (vm === undefined), 'one of `address` and `vm` is needed')

const peerNamesSchema = z.strictObject({
  /** Groups whose every member is meant, VMs as `tenant/name` besides, networks; `world` = every address that is nobody's. */
  groups: z.array(z.string()),
  vms: z.array(z.string()),
  networks: z.array(z.string()),
  world: z.boolean(),
  /** VMs left out of the list because it is bounded. */
  more: z.number().int(),
})

const reachEntrySchema = z.strictObject({
  /** Those asked for that the entry is about. */
  addresses: z.array(z.string()),
  peers: peerNamesSchema,
  /** Everything but these is meant, and `peers` is empty; null = what `peers` lists. */
  anyBut: peerNamesSchema.nullable(),
  /** How many endpoints' addresses are meant. */
  peerAddresses: z.number().int(),
  /** `tcp 5432`, `udp 9000-9010`, `any`, … */
  services: z.array(z.string()),
  verdict: actionSchema.extract(['allow', 'allow-stateless', 'inspect']),
  profile: z.string().nullable(),
  /** References of the rules that let it pass, at the source's endpoint and at the destination's; null = that end is no endpoint. */
  egress: z.string().nullable(),
  ingress: z.string().nullable(),
})

/** The widest first. */
export const reachResultSchema = z
  .strictObject({
    addresses: z.array(z.string()),
    incoming: z.array(reachEntrySchema),
    outgoing: z.array(reachEntrySchema),
    warnings: z.array(diagnosticSchema),
  })
  .meta({ id: 'ReachResult' })

/** Findings are warnings: none keeps a policy from being published. */
export const lintResultSchema = z.strictObject({ findings: z.array(diagnosticSchema) }).meta({ id: 'LintResult' })

/** Which recorded flows: the latest, at most `most`. */
const flowSelection = {
  sinceTime: sinceTimeSchema.optional(),
  host: nameSchema.optional(),
  tenant: nameSchema.optional(),
  most: z.number().int().min(1).max(200_000).optional(),
}

export const simulateSchema = candidateSchema.extend({
  ...flowSelection,
  /** Compare with what was recorded instead of what is published. */
  recorded: z.boolean().optional(),
})

const fateSchema = z.strictObject({ verdict: z.string(), rule: z.string().nullable() })
const simulatedPartySchema = z.strictObject({ name: z.string(), tenant: nameSchema.nullable() })

export const simulationSchema = z
  .strictObject({
    /** Worst first: what breaks, what opens, what differs; a bounded list. */
    changes: z.array(
      z.strictObject({
        kind: z.enum(['breaks', 'opens', 'differs']),
        source: simulatedPartySchema,
        destination: simulatedPartySchema,
        protocol: z.number().int(),
        port: z.number().int().nullable(),
        before: fateSchema,
        after: fateSchema,
        connections: z.number().int(),
        first: timeSchema,
        last: timeSchema,
      }),
    ),
    /** Changes left out of the list because it is bounded. */
    more: z.number().int(),
    /** Flows read, and distinct connections among them. */
    flows: z.number().int(),
    records: z.number().int(),
    connections: z.number().int(),
    changed: z.strictObject({ breaks: z.number().int(), opens: z.number().int(), differs: z.number().int() }),
    vms: z.array(z.string()),
    tenants: z.array(nameSchema),
    warnings: z.array(diagnosticSchema),
  })
  .meta({ id: 'Simulation' })

export const recommendSchema = z.strictObject({
  ...flowSelection,
  generalize: z.enum(['exact', 'group']).optional(),
  share: z.number().min(0).max(1).optional(),
  includeRefused: z.boolean().optional(),
})

export const recommendationSchema = z
  .strictObject({
    /** A policy document to read and edit. */
    text: z.string(),
    rules: z.number().int(),
    flows: z.number().int(),
    records: z.number().int(),
    connections: z.number().int(),
    refused: z.number().int(),
    elsewhere: z.number().int(),
  })
  .meta({ id: 'Recommendation' })

export type ApiProveResult = z.infer<typeof proveResultSchema>
export type ApiReachResult = z.infer<typeof reachResultSchema>
export type ApiSimulation = z.infer<typeof simulationSchema>
export type ApiRecommendation = z.infer<typeof recommendationSchema>
