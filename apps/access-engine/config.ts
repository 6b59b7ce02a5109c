/** The configuration of one access engine: a JSON file only its owner can read or change. It holds no secret, but it names what the engine trusts and touches. */
import { stat } from 'node:fs/promises'

import { OperationError, parseHostName, type HostName, type Observed } from '@hyperward/model'
import { z } from 'zod'

const path = z.string().regex(/^\//, 'must be an absolute path').max(1024)

const device = z.string().regex(/^[A-Za-z0-9_.-]{1,15}$/, 'must be the name of a network device')
const profileName = z
  .string()
  .regex(/^[a-z0-9-]+\/[a-z0-9-]+$/, 'must be the name of a profile with its tenant, like "acme/web"')

const gatewaySchema = z.strictObject({
  name: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, 'must be a name of lower-case letters, digits and dashes'),
  /** The two ports of the gateway on this host, on no bridge: what the originator of a connection sends goes in at `inside`. */
  inside: device,
  outside: device,
  profiles: z.array(profileName).min(1).max(1000),
  draining: z.boolean().default(false),
})

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
  /** Which driver guards the taps: eBPF where the kernel can and else nftables, or always one of them. */
  datapath: z.enum(['auto', 'ebpf', 'nftables']).default('auto'),
  /** `status` asks the running engine here; it also keeps a second engine out. */
  statusSocket: path.default('/run/hyperward/access-engine.sock'),
  /** Names of taps the door guards, `*` at the end matches any rest. */
  tapPatterns: z
    .array(z.string().regex(/^[A-Za-z0-9_.-]{1,14}\*?$/, 'must be a device name, or its beginning followed by *'))
    .min(1)
    .default(['vnet*', 'tap*']),
  /** What inspects on this host. */
  gateways: z.array(gatewaySchema).max(63).default([]),
  /** Profiles whose connections go on without inspection while no gateway serves them; all others are dropped then. */
  failOpen: z.array(profileName).max(1000).default([]),
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
  if (text.value === null)
    throw malformed(file, 'there is no such file; write one with at least {"host": "NAME"}, mode 0600')
  await refuseUnsafe(file)
  return parseConfig(file, text.value)
}

export function parseConfig(file: string, text: string): EngineConfig {
  const parsed = configSchema.safeParse(parseJson(file, text))
  if (!parsed.success) throw malformed(file, parsed.error.issues.map(toSentence).join('; '))
  const host = parseHostName(parsed.data.host)
  if (host === null) throw malformed(file, `host: ${remedies.host}`)
  return { ...parsed.data, host }
}

type Field = keyof z.infer<typeof configSchema>

const absolute = (example: string): string => `write an absolute path, like "${example}"`

/** What to write there. */
const remedies: Readonly<Record<Field, string>> = {
  host: 'write the name this host is enrolled under: lower-case letters, digits, dots and dashes, like "north"',
  center: 'write the address of the center, like "https://center.example:8443", or leave the field out',
  stateDir: absolute('/var/lib/hyperward/access-engine'),
  libvirtSocket: absolute('/run/libvirt/libvirt-sock'),
  pinRoot: absolute('/sys/fs/bpf/hyperward'),
  objectPath: absolute('/usr/lib/hyperward/endpoint.bpf.o'),
  datapath: 'write one of "auto", "ebpf", "nftables"',
  statusSocket: absolute('/run/hyperward/access-engine.sock'),
  tapPatterns: 'write a list of device names, or of their beginnings followed by *, like ["vnet*", "tap*"]',
  gateways: 'write a list like [{"name": "gw-1", "inside": "gwin1", "outside": "gwout1", "profiles": ["acme/web"]}]',
  failOpen: 'write a list of profiles, like ["acme/web"]',
  logLevel: 'write one of "debug", "info", "warn", "error"',
}

function isField(name: unknown): name is Field {
  return typeof name === 'string' && Object.hasOwn(remedies, name)
}

function toSentence(issue: z.core.$ZodIssue): string {
  if (issue.code === 'unrecognized_keys') {
    const names = issue.keys.map((key) => JSON.stringify(key)).join(', ')
    return `${names}: no such field; the fields are ${Object.keys(remedies).join(', ')}`
  }
  const [field] = issue.path
  if (!isField(field)) return 'the document must be one JSON object, like {"host": "north"}'
  return `${issue.path.join('.')}: ${remedies[field]} (${issue.message})`
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
