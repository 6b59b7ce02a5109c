/** The configuration of one access engine: a JSON file only its owner can read or change. It holds no secret, but it names what the engine trusts and touches. */
import { stat } from 'node:fs/promises'

import { OperationError, parseHostName, type HostName, type Observed } from '@hyperward/model'
import { z } from 'zod'

const path = z.string().regex(/^\//, 'must be an absolute path').max(1024)

const configSchema = z.strictObject({
  /** This host's name, as it is enrolled. */
  host: z.string().max(63),
  /** `https://host:port` of the center, where it is not (or no longer) the one this host enrolled at. */
  center: z.url({ protocol: /^https$/ }).optional(),
  stateDir: path.default('/var/lib/hyperward/access-engine'),
  libvirtSocket: path.default('/run/libvirt/libvirt-sock'),
  /** Where maps and programs stay when the engine ends: a bpf file system. */
  pinRoot: path.default('/sys/fs/bpf/hyperward'),
  objectPath: path.default('/usr/lib/hyperward/endpoint.bpf.o'),
  /** `status` asks the running engine here; it also keeps a second engine out. */
  statusSocket: path.default('/run/hyperward/access-engine.sock'),
  /** Names of taps the door guards, `*` at the end matches any rest. */
  tapPatterns: z
    .array(z.string().regex(/^[A-Za-z0-9_.-]{1,14}\*?$/, 'must be a device name, or its beginning followed by *'))
    .min(1)
    .default(['vnet*', 'tap*']),
  logLevel: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
})

export type EngineConfig = Readonly<Omit<z.infer<typeof configSchema>, 'host'>> & { readonly host: HostName }

/** Fails with `engine.config-malformed` or `engine.config-unsafe`. */
export async function readConfig(
  file: string,
  readFile: (path: string) => Promise<Observed<string | null>>,
): Promise<EngineConfig> {
  const text = await readFile(file)
  if (!text.known) throw malformed(file, text.reason)
  if (text.value === null) throw malformed(file, 'there is no such file')
  await refuseUnsafe(file)
  return parseConfig(file, text.value)
}

export function parseConfig(file: string, text: string): EngineConfig {
  const parsed = configSchema.safeParse(parseJson(file, text))
  if (!parsed.success) {
    const issue = parsed.error.issues[0]
    throw malformed(file, `${issue?.path.join('.') || 'the document'}: ${issue?.message ?? 'wrong'}`)
  }
  const host = parseHostName(parsed.data.host)
  if (host === null) throw malformed(file, 'host: must be lower-case letters, digits, dots and dashes')
  return { ...parsed.data, host }
}

async function refuseUnsafe(file: string): Promise<void> {
  const { mode, uid } = await stat(file)
  if ((mode & 0o077) === 0 && (uid === process.getuid?.() || uid === 0)) return
  const message = `${file} can be read or changed by others (mode ${(mode & 0o777).toString(8)}, owner ${uid}); make it 0600 and yours`
  throw new OperationError('engine.config-unsafe', message, { file })
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw malformed(file, cause instanceof Error ? cause.message : 'not JSON')
  }
}

function malformed(file: string, reason: string): OperationError {
  return new OperationError('engine.config-malformed', `${file}: ${reason}`, { file })
}
