/** REST: moving a virtual machine to another host under policy. */
import { z } from 'zod'

import { nameSchema, timeSchema } from './common.ts'

export const migrateVmSchema = z.strictObject({
  host: nameSchema,
  /** The target's libvirt as the source's reaches it; default `qemu+tls://HOST/system`. */
  destination: z
    .string()
    .max(1024)
    .regex(/^qemu\+(tls|ssh|tcp|unix):/)
    .optional(),
  /** Where the memory goes; libvirt chooses unless told. */
  migrateUri: z
    .string()
    .max(1024)
    .regex(/^(tcp|unix|rdma):/)
    .optional(),
})
export type MigrateVm = z.infer<typeof migrateVmSchema>

export const migrationSchema = z
  .strictObject({
    uuid: z.string(),
    name: z.string(),
    from: nameSchema,
    to: nameSchema,
    state: z.enum(['running', 'done', 'failed']),
    /** Why it failed. */
    reason: z.string().nullable(),
    startedAt: timeSchema,
    endedAt: timeSchema.nullable(),
    steps: z.array(z.strictObject({ at: timeSchema, step: z.string() })),
  })
  .meta({ id: 'Migration' })
export type ApiMigration = z.infer<typeof migrationSchema>
