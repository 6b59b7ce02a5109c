import { readSettings } from '../connection/settings.ts'
import type { Run } from '../command.ts'

export const context: Run<'context'> = async ({ context: { out, text, globals, io } }) => {
  const settings = await readSettings(globals, io)
  const { center, ca, tokenFile, configPath } = settings
  if (globals.json) {
    out.json({ center, ca, tokenFile, config: configPath })
    return 'ok'
  }
  const none = text('cli.word.none')
  const rows = Object.entries({ center, ca, 'token-file': tokenFile }).map(([name, { value, origin }]) => [
    name,
    value ?? none,
    origin === 'none' ? none : origin === 'config' ? configPath : text(`cli.origin.${origin}`),
  ])
  out.table(
    [{ title: text('cli.column.setting') }, { title: text('cli.column.value') }, { title: text('cli.column.origin') }],
    rows,
  )
  return 'ok'
}
