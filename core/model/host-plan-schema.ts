/** The one schema of a plan's text: strict, so that an unknown field is refused. Texts must be in canonical form already. */
import { z } from 'zod'

import { parseAddress, parsePrefix } from './address.ts'
import { hostPlanFormat } from './host-plan.ts'
import {
  type Identity,
  parseDigest,
  parseEndpointId,
  parseHostName,
  parseMac,
  parseRevision,
  parseTenantName,
  parseVmUuid,
  type RuleRef,
  toIdentity,
} from './ids.ts'

/** Text that a parser gives back as it was: one spelling a value. */
export function canonicalText<T extends string>(parse: (text: string) => T | string | null, what: string) {
  return z.string().transform((text, context): T => {
    if (parse(text) !== text) context.addIssue({ code: 'custom', message: `not ${what} in canonical form` })
    // a canonical text is its own parsed value
    return text as T
  })
}

const tenant = canonicalText(parseTenantName, 'a tenant name')
const uint = (max: number) => z.number().int().min(0).max(max)
const identity = uint(0xffff_ffff).transform((value): Identity => toIdentity(value))
const ruleRef = z
  .string()
  .regex(/^(?:emergency|platform|tenant|baseline|builtin):[^/]*\/[^/]+\/[^/]+$/)
  .transform((text): RuleRef => text as RuleRef)
const action = z.enum(['allow', 'allow-stateless', 'drop', 'reject', 'inspect'])
const address = canonicalText(parseAddress, 'an address')

export const hostPlanSectionsSchema = z.strictObject({
  endpoints: z.array(
    z.strictObject({
      id: canonicalText(parseEndpointId, 'an endpoint id'),
      vm: canonicalText(parseVmUuid, 'a UUID'),
      vmName: z.string().max(1024),
      tenant,
      mac: canonicalText(parseMac, 'a MAC'),
      addresses: z.array(address),
    }),
  ),
  zones: z.array(z.strictObject({ tenant, zone: z.number().int().min(1).max(65_535) })),
  addresses: z.array(z.strictObject({ address, identity })),
  networks: z.array(z.strictObject({ prefix: canonicalText(parsePrefix, 'a prefix'), identity })),
  services: z.array(
    z.strictObject({
      protocol: uint(255),
      from: uint(65_535),
      to: uint(65_535),
      class: z.number().int().min(1).max(65_535),
    }),
  ),
  verdicts: z.array(
    z.strictObject({
      direction: z.enum(['ingress', 'egress']),
      local: identity,
      peer: identity,
      class: uint(65_535),
      action,
      rule: uint(0xffff_ffff),
      monitor: uint(0xffff_ffff).exactOptional(),
    }),
  ),
  rules: z.array(
    z.strictObject({
      number: uint(0xffff_ffff),
      ref: ruleRef,
      tier: z.enum(['emergency', 'platform', 'tenant', 'baseline', 'builtin']),
      tenant: tenant.nullable(),
      policy: z.string().min(1).max(63),
      name: z.string().min(1).max(63),
      action,
      log: z.boolean(),
      logRate: z.number().int().min(1).max(1_000_000).exactOptional(),
      monitor: z.literal(true).exactOptional(),
      profile: z.string().min(1).max(127).exactOptional(),
    }),
  ),
})

export const hostPlanSchema = z.strictObject({
  format: z.literal(hostPlanFormat),
  host: canonicalText(parseHostName, 'a host name'),
  revision: z.number().transform((value, context) => {
    const revision = parseRevision(value)
    if (revision !== null) return revision
    context.addIssue({ code: 'custom', message: 'not a revision' })
    return z.NEVER
  }),
  digest: canonicalText(parseDigest, 'a digest'),
  sections: hostPlanSectionsSchema,
})
