/** OVSDB's JSON-RPC (RFC 7047) over its unix socket: one call at a time is all this driver needs. */
import { connect } from 'node:net'

import { known, unknown, type Observed } from '@hyperward/model'

export type OvsdbRow = Readonly<Record<string, unknown>>

/** Runs the operations as one transaction: all of them, or none. The rows of each, in order. */
export async function transact(
  path: string,
  operations: readonly OvsdbRow[],
  timeoutMs = 5000,
): Promise<Observed<readonly (readonly OvsdbRow[])[]>> {
  return new Promise((resolve) => {
    const socket = connect(path)
    let text = ''
    const finish = (result: Observed<readonly (readonly OvsdbRow[])[]>): void => {
      socket.destroy()
      resolve(result)
    }
    socket.setEncoding('utf8')
    socket.setTimeout(timeoutMs, () => finish(unknown(`${path}: no answer`)))
    socket.on('error', (error) => finish(unknown(`${path}: ${error.message}`)))
    socket.on('close', () => finish(unknown(`${path}: closed before it answered`)))
    socket.on('data', (chunk: string) => {
      text += chunk
      // the server says nothing but the answer within the first seconds of a connection
      const answer = parseJson(text)
      if (answer !== null) finish(readAnswer(path, answer))
    })
    socket.write(JSON.stringify({ method: 'transact', id: 1, params: ['Open_vSwitch', ...operations] }))
  })
}

/** null: not whole yet. */
function parseJson(text: string): OvsdbRow | null {
  try {
    const value: unknown = JSON.parse(text)
    return isRow(value) ? value : {}
  } catch {
    return null
  }
}

function readAnswer(path: string, answer: OvsdbRow): Observed<readonly (readonly OvsdbRow[])[]> {
  if (!Array.isArray(answer['result'])) return unknown(`${path}: ${JSON.stringify(answer['error'] ?? answer)}`)
  const rows: (readonly OvsdbRow[])[] = []
  for (const result of answer['result'] as readonly unknown[]) {
    if (!isRow(result)) return unknown(`${path}: an operation was not carried out`)
    if (result['error'] !== undefined) return unknown(`${path}: ${JSON.stringify(result)}`)
    const listed = result['rows']
    rows.push(Array.isArray(listed) ? listed.filter(isRow) : [])
  }
  return known(rows)
}

function isRow(value: unknown): value is OvsdbRow {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
