/**
 * Which center, which CA, which token file: options before environment before what `login` stored. The configuration holds names of files only,
 * never a token. A configuration that others can change is refused: it could lead the token elsewhere.
 */
import { open } from 'node:fs/promises'
import { join } from 'node:path'

import { errnoCode } from '@hyperward/os'

import type { GlobalValues } from '../command-table/command-table.ts'
import type { Io } from '../command.ts'
import { cliError } from '../failures.ts'
import { UsageError } from '../usage-error.ts'

export interface StoredSettings {
  readonly center?: string
  readonly ca?: string
  readonly tokenFile?: string
}

export type Origin = 'option' | 'environment' | 'config' | 'none'

export interface Setting {
  readonly value: string | null
  readonly origin: Origin
}

export interface Settings {
  readonly center: Setting
  readonly ca: Setting
  readonly tokenFile: Setting
  readonly configPath: string
}

type Env = Io['env']

export function configDirectory(io: Pick<Io, 'env' | 'homeDirectory'>): string {
  const base = io.env['XDG_CONFIG_HOME']
  return join(base !== undefined && base.startsWith('/') ? base : join(io.homeDirectory, '.config'), 'hyperward')
}

export async function readSettings(globals: GlobalValues, io: Pick<Io, 'env' | 'homeDirectory'>): Promise<Settings> {
  const configPath = join(configDirectory(io), 'config.json')
  const stored = await readStored(configPath)
  return {
    center: choose(globals.center, io.env, 'HYPERWARD_CENTER', stored.center),
    ca: choose(globals.ca, io.env, 'HYPERWARD_CA', stored.ca),
    tokenFile: choose(globals['token-file'], io.env, 'HYPERWARD_TOKEN_FILE', stored.tokenFile),
    configPath,
  }
}

/** The origin (`https://host:port`) of a URL that has nothing else in it. */
export function parseCenterUrl(text: string): URL {
  const url = URL.parse(text)
  const bare = url !== null && url.protocol === 'https:' && url.pathname === '/' && url.search === '' && url.hash === ''
  if (!bare || url.username !== '' || url.password !== '') throw UsageError.of('cli.usage.bad-url', { value: text })
  return url
}

function choose(option: string | undefined, env: Env, variable: string, stored: string | undefined): Setting {
  if (option !== undefined) return { value: option, origin: 'option' }
  const fromEnv = env[variable]
  if (fromEnv !== undefined && fromEnv !== '') return { value: fromEnv, origin: 'environment' }
  return stored === undefined ? { value: null, origin: 'none' } : { value: stored, origin: 'config' }
}

async function readStored(path: string): Promise<StoredSettings> {
  const text = await readConfig(path)
  return text === null ? {} : parseStored(path, text)
}

async function readConfig(path: string): Promise<string | null> {
  try {
    const file = await open(path, 'r')
    try {
      const { mode } = await file.stat()
      if ((mode & 0o022) !== 0) throw cliError('cli.config-exposed', { path, mode: (mode & 0o777).toString(8) })
      return await file.readFile('utf8')
    } finally {
      await file.close()
    }
  } catch (error) {
    const errno = errnoCode(error)
    if (errno === 'ENOENT') return null
    if (errno?.startsWith('E') === true) throw cliError('cli.config-invalid', { path, problem: errno }, error)
    throw error
  }
}

const fields = ['center', 'ca', 'tokenFile'] as const

function parseStored(path: string, text: string): StoredSettings {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    throw cliError('cli.config-invalid', { path, problem: 'JSON' }, error)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw cliError('cli.config-invalid', { path, problem: '{}' })
  }
  const stored: { -readonly [K in keyof StoredSettings]: StoredSettings[K] } = {}
  for (const [name, entry] of Object.entries(value)) {
    const field = fields.find((candidate) => candidate === name)
    if (field === undefined || typeof entry !== 'string') throw cliError('cli.config-invalid', { path, problem: name })
    stored[field] = entry
  }
  return stored
}
