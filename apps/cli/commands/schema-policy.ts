import { toJsonSchema } from '@hyperward/policy'

import type { Run } from '../command.ts'

export const schemaPolicy: Run<'schema policy'> = async ({ context: { out, locale } }) => {
  out.json(toJsonSchema(locale))
  return 'ok'
}
