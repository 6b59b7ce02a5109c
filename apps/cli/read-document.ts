import { readFile } from 'node:fs/promises'

import { OperationError } from '@hyperward/model'
import { errnoCode } from '@hyperward/os'

import type { Io } from './command.ts'

export interface Document {
  /** The name in diagnostics. */
  readonly file: string
  readonly text: string
}

/** A file, or standard input for `-`. */
export async function readDocument(path: string, io: Pick<Io, 'stdin'>): Promise<Document> {
  if (path === '-') return { file: '<stdin>', text: await readAll(io.stdin) }
  try {
    return { file: path, text: await readFile(path, 'utf8') }
  } catch (cause) {
    const message = `${path} could not be read (${errnoCode(cause) ?? String(cause)})`
    throw new OperationError('os.file-unreadable', message, { path }, cause)
  }
}

async function readAll(stream: Io['stdin']): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of stream) text += typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true })
  return text + decoder.decode()
}
