import type { Run } from '../command.ts'
import { version } from '../version.ts'

export const printVersion: Run<'version'> = async ({ context: { out, globals } }) => {
  if (globals.json) out.json({ version })
  else out.line(`hyperward ${version}`)
  return 'ok'
}
