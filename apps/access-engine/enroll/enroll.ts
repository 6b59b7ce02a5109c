/** First contact with the center: a one-time token becomes this host's identity, saved in the state directory. Nothing is saved unless all of it fits. */
import { mkdir, readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

import { OperationError } from '@hyperward/model'
import { enrollHost } from '@hyperward/pki'

import type { EngineConfig } from '../config.ts'
import { checkIssued } from './check-issued.ts'
import { saveHostIdentity, type HostIdentity, type IdentityFiles } from './host-identity.ts'

/** `tokenFile`: a path, or `-` for stdin. Fails with the codes `pki.*`, `engine.wrong-host`, or of a file. */
export async function enroll(
  config: EngineConfig,
  request: { readonly center: string; readonly tokenFile: string },
  files: IdentityFiles,
): Promise<HostIdentity> {
  const center = parseCenter(request.center)
  const token = await readToken(request.tokenFile)
  // before the token is spent: it works once
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 })
  const enrolled = await enrollHost(center, token)
  if (enrolled.host !== config.host) {
    const message = `the token is for host ${enrolled.host}, the configuration says ${config.host}; nothing was saved; correct one of them and make a new token`
    throw new OperationError('engine.wrong-host', message, { enrolled: enrolled.host, configured: config.host })
  }
  const identity = { ...enrolled, center }
  const problem = checkIssued(identity)
  if (problem !== null)
    throw new OperationError('pki.enroll-failed', `the certificate was refused: ${problem}`, { center })
  await saveHostIdentity(config.stateDir, identity, files)
  return identity
}

function parseCenter(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.username === '') return url.origin
  throw new OperationError('engine.arguments', `--center must be https://HOST:PORT, not "${text}"`)
}

async function readToken(file: string): Promise<string> {
  try {
    return file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')
  } catch (cause) {
    throw new OperationError('os.file-unreadable', `the token file ${file} could not be read`, { path: file }, cause)
  }
}
