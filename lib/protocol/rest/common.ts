/** What every REST answer is made of. Times are ISO 8601 UTC with milliseconds. Unknown fields in requests are refused (400 `api.bad-request`). */
import { z } from 'zod'

export const nameSchema = z.string().min(1).max(63)
export const timeSchema = z.string()
/** The store's times end with the year 9999; before 1970 there is nothing to be asked for. */
export const sinceTimeSchema = z.iso
  .datetime({ offset: true })
  .refine((text) => Date.parse(text) >= 0 && Date.parse(text) < 253_402_300_800_000, 'not between 1970 and 9999')
/** Of a document; shown in diagnostics on people's terminals, so nothing but text and blanks. */
export const fileNameSchema = z
  .string()
  .max(512)
  .refine((text) => !/[\p{C}\p{Zl}\p{Zp}]/u.test(text), 'it holds control characters or line breaks')
export const revisionSchema = z.number().int().nonnegative()
export const digestSchema = z.string().regex(/^[0-9a-f]{64}$/)
export const actionSchema = z.enum(['allow', 'allow-stateless', 'drop', 'reject', 'inspect'])
export const directionSchema = z.enum(['ingress', 'egress'])

export const diagnosticSchema = z
  .strictObject({
    code: z.string(),
    severity: z.enum(['error', 'warning']),
    path: z.string(),
    place: z.strictObject({ file: z.string(), line: z.number().int(), column: z.number().int() }).optional(),
    params: z.record(z.string(), z.union([z.string(), z.number()])),
    message: z.string(),
  })
  .meta({ id: 'Diagnostic' })

/** The body of every answer that is not 2xx. `diagnostics` is there on 422, when a document of the user's was wrong. */
export const errorSchema = z
  .strictObject({
    code: z.string(),
    message: z.string(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])),
    diagnostics: z.array(diagnosticSchema).optional(),
  })
  .meta({ id: 'Error' })

/** A query number comes as text. */
export const limitSchema = z.coerce.number().int().min(1).max(10_000)
export const cursorSchema = z.coerce.number().int().nonnegative()

export type ApiError = z.infer<typeof errorSchema>
export type ApiDiagnostic = z.infer<typeof diagnosticSchema>
