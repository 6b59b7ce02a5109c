import { open } from 'node:fs/promises'

import { importFiles, importKinds, importMaxBytes, type ImportFile } from '@hyperward/importers'
import { OperationError } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'

import type { Io, Run } from '../command.ts'
import { DocumentFailure, type Sources } from '../failures.ts'
import { tellWarnings } from '../render/tell-warnings.ts'

/** Prints the policy on stdout, so that it can go to a file, and what came out narrower on stderr. */
export const importPolicy: Run<'import'> = async ({ values, positionals: [kindText = '', ...paths], context }) => {
  const { out, globals, io } = context
  const kind = importKinds.find((known) => known === kindText)
  if (kind === undefined) throw new Error(`the command table let ${kindText} through`)
  const files: ImportFile[] = []
  for (const path of paths) files.push(await readBounded(path, io))
  const imported = importFiles(kind, files, {
    ...(values.tenant === undefined ? {} : { tenant: values.tenant }),
    ...(values.name === undefined ? {} : { name: values.name }),
    ...(values.view === undefined ? {} : { view: values.view }),
    ...(values.interface.length === 0 ? {} : { interfaces: values.interface }),
  })
  const sources = toSources(files)
  if (!imported.ok) {
    const { diagnostics } = imported
    throw new DocumentFailure(diagnostics, sources, { code: 'policy.invalid', diagnostics })
  }
  const { value, warnings } = imported
  if (globals.json) out.json({ ...value, diagnostics: warnings })
  else {
    out.raw(value.text)
    tellWarnings(context, warnings, sources)
  }
  return 'ok'
}

/** One byte more than is ever imported tells that there is more; a device or a pipe without end is not read to it. */
async function readBounded(path: string, io: Pick<Io, 'stdin'>): Promise<ImportFile> {
  if (path === '-') return { name: '<stdin>', content: await readStream(io.stdin) }
  try {
    await using file = await open(path, 'r')
    const { size } = await file.stat()
    const stream = file.createReadStream({ end: importMaxBytes, autoClose: false })
    const content = await readStream(stream)
    return { name: path, content, ...(size > content.length ? { sizeBytes: size } : {}) }
  } catch (cause) {
    const message = `${path} could not be read (${errnoCode(cause) ?? String(cause)})`
    throw new OperationError('os.file-unreadable', message, { path }, cause)
  }
}

async function readStream(stream: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk
    chunks.push(bytes)
    size += bytes.length
    if (size > importMaxBytes) break
  }
  return Buffer.concat(chunks)
}

/** For showing the line concerned; of files in another encoding none is shown. */
function toSources(files: readonly ImportFile[]): Sources {
  const small = files.filter(({ content }) => content.length <= importMaxBytes)
  return new Map(
    small.map(({ name, content }) => [name, typeof content === 'string' ? content : new TextDecoder().decode(content)]),
  )
}
