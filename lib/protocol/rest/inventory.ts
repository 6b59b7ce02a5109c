/** REST: hosts, virtual machines and their endpoints. */
import { z } from 'zod'

import { realizedStateSchema } from '../realized-state.ts'

import { digestSchema, nameSchema, revisionSchema, timeSchema } from './common.ts'

export const hostSchema = z
  .strictObject({
    name: nameSchema,
    createdAt: timeSchema,
    /** null = its token was never used. */
    enrolledAt: timeSchema.nullable(),
    connected: z.boolean(),
    lastSeenAt: timeSchema.nullable(),
    software: z.string().nullable(),
    kernel: z.string().nullable(),
    driver: z.string().nullable(),
    certificateEndsAt: timeSchema.nullable(),
    /** What the center wants in force there; null = no plan yet. */
    plannedRevision: revisionSchema.nullable(),
    plannedDigest: digestSchema.nullable(),
    /** What the agent said it holds. */
    heldRevision: revisionSchema.nullable(),
    heldDigest: digestSchema.nullable(),
    /** Held digest is the planned one. */
    inForce: z.boolean(),
    drift: z.number().int().nonnegative(),
    rssBytes: z.number().nonnegative().nullable(),
    endpoints: z.strictObject({ enforced: z.number().int(), closed: z.number().int() }),
  })
  .meta({ id: 'Host' })

export const hostsSchema = z.strictObject({ hosts: z.array(hostSchema) })

export const createHostSchema = z.strictObject({
  name: nameSchema,
  /** Life of the token, minutes; default 60. */
  minutes: z.number().int().min(1).max(10_080).optional(),
})

/** The token is shown once: the center keeps its hash only. */
export const enrolmentTokenSchema = z
  .strictObject({ host: nameSchema, token: z.string(), expiresAt: timeSchema })
  .meta({ id: 'EnrolmentToken' })

export const endpointSchema = z
  .strictObject({
    /** `<vm uuid>/<mac>` */
    id: z.string(),
    vm: z.strictObject({ uuid: z.string(), name: z.string() }),
    host: nameSchema,
    mac: z.string(),
    addresses: z.array(z.string()),
    tenant: nameSchema.nullable(),
    labels: z.record(z.string(), z.string()),
    /** Operating system of its VM; null = not known. */
    os: z.string().nullable(),
    /** Virtual network it is plugged into; null = not known. */
    segment: z.string().nullable(),
    device: z.string().nullable(),
    /** `unreported`: its agent said nothing of it yet. Only `enforced` passes packets. */
    state: z.enum(['enforced', 'closed', 'unreported']),
    reason: z.string().nullable(),
    /** Revision in force at the endpoint's host; null = none reported. */
    revision: revisionSchema.nullable(),
    /** Host said it at. */
    seenAt: timeSchema,
  })
  .meta({ id: 'Endpoint' })

/** A host's kernel, read back and compared with the plan it enforces. */
export const hostRealizedSchema = realizedStateSchema
  .extend({
    host: z.string(),
    /** What the center last planned for it; another digest than `plan` has = the host is behind. */
    planned: z.strictObject({ revision: z.number().int(), digest: z.string() }).nullable(),
  })
  .meta({ id: 'HostRealized' })
export type ApiHostRealized = z.infer<typeof hostRealizedSchema>

export const endpointsSchema = z.strictObject({ endpoints: z.array(endpointSchema) })

/**
 * The center's word over the domain's metadata, kept by VM uuid and so through moves and restarts.
 * Field absent = leave as it is; null = take the center's word back (the metadata counts again).
 * `labels`: each key replaces the metadata's; a null value takes that one key back. `addresses`: by MAC, the whole list for that endpoint.
 */
export const patchVmSchema = z.strictObject({
  tenant: nameSchema.nullable().optional(),
  labels: z.record(z.string().min(1).max(256), z.string().max(256).nullable()).nullable().optional(),
  addresses: z.record(z.string(), z.array(z.string()).max(64).nullable()).nullable().optional(),
  os: z.string().min(1).max(255).nullable().optional(),
})

export const vmSchema = z
  .strictObject({
    uuid: z.string(),
    name: z.string().nullable(),
    host: nameSchema.nullable(),
    tenant: nameSchema.nullable(),
    labels: z.record(z.string(), z.string()),
    os: z.string().nullable(),
    endpoints: z.array(
      z.strictObject({ mac: z.string(), addresses: z.array(z.string()), segment: z.string().nullable() }),
    ),
    override: z.strictObject({
      tenant: nameSchema.nullable(),
      labels: z.record(z.string(), z.string()),
      addresses: z.record(z.string(), z.array(z.string())),
      os: z.string().nullable(),
    }),
  })
  .meta({ id: 'Vm' })

export type ApiHost = z.infer<typeof hostSchema>
export type ApiEndpoint = z.infer<typeof endpointSchema>
export type ApiVm = z.infer<typeof vmSchema>
export type PatchVm = z.infer<typeof patchVmSchema>
export type EnrolmentTokenAnswer = z.infer<typeof enrolmentTokenSchema>
