/**
 * The agent channel: JSON text frames over one WebSocket inside mutually authenticated TLS 1.3; the host's name is the client certificate's, never a field.
 * Both sides refuse unknown fields and unknown kinds. Every report is acknowledged by `seq`, so that a break loses nothing: the agent keeps what is not acknowledged.
 */
import { z } from 'zod'

import { fetchMessageSchemas, planMessageSchemas } from './plan/plan-messages.ts'
import { realizedStateSchema } from './realized-state.ts'

const text = z.string().max(4096)
const digest = z.string().regex(/^[0-9a-f]{64}$/)
const revision = z.number().int().nonnegative()
/** zod's integers are safe ones: nothing here overflows a sum or loses digits. */
const count = z.number().int().nonnegative()
const action = z.enum(['allow', 'allow-stateless', 'drop', 'reject', 'inspect'])
const direction = z.enum(['ingress', 'egress'])

/** Protocol version spoken in `hello`; the center refuses another major. */
export const protocolVersion = 2

const flowTuple = z.strictObject({
  source: text,
  destination: text,
  protocol: z.number().int().min(0).max(255),
  sourcePort: z.number().int().min(0).max(65_535),
  destinationPort: z.number().int().min(0).max(65_535),
})

/** Mirrors DatapathEvent of core/model; `host` is added by the center from the certificate. */
export const datapathEventSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('drop'),
    at: text,
    endpoint: text,
    direction,
    reason: text,
    rule: text.nullable(),
    action: action.extract(['drop', 'reject']),
    tuple: flowTuple.nullable(),
    sourceMac: text,
    suppressed: count,
  }),
  z.strictObject({
    kind: z.literal('monitor'),
    at: text,
    endpoint: text,
    direction,
    rule: text,
    action,
    tuple: flowTuple,
    packets: count,
    bytes: count,
    suppressed: count,
  }),
  z.strictObject({
    kind: z.enum(['flow-start', 'flow-end']),
    at: text,
    endpoint: text,
    direction,
    rule: text,
    tuple: flowTuple,
    packets: count,
    bytes: count,
    end: z.enum(['closed', 'reset', 'timeout', 'revoked']).nullable(),
    suppressed: count,
  }),
])

/** What the agent itself has to tell: drift found, a VM it cannot protect, a kernel that lacks something, libvirt not answering. */
export const agentEventSchema = z.strictObject({
  kind: z.enum([
    'drift',
    'endpoint-closed',
    'plan-refused',
    'plan-applied',
    'libvirt-lost',
    'libvirt-back',
    'kernel-lacks',
    'vm-metadata',
    'gateway-down',
    'gateway-up',
  ]),
  at: text,
  endpoint: text.nullable(),
  message: text,
})

export const reportedVmSchema = z.strictObject({
  uuid: text,
  name: text,
  tenant: text.nullable(),
  labels: z.record(z.string().max(256), z.string().max(256)),
  /** Operating system as the domain's metadata tells it; absent = not told. */
  os: z.string().min(1).max(255).exactOptional(),
  // more than the center takes (`reportLimits`), so that one VM beyond is clipped and told instead of ending the connection
  endpoints: z
    .array(
      z.strictObject({
        mac: text,
        addresses: z.array(text).max(4096),
        /** Virtual network it is plugged into: libvirt network (and port group) or bridge; absent = not known. */
        segment: z.string().min(1).max(255).exactOptional(),
      }),
    )
    .max(4096),
})

export const endpointStatusSchema = z.strictObject({
  endpoint: text,
  vmName: text,
  device: text.nullable(),
  /** `enforced`: guarded by the plan. `closed`: nothing passes, with the reason. */
  state: z.enum(['enforced', 'closed']),
  reason: text.nullable(),
})

export const ruleCounterSchema = z.strictObject({
  rule: text,
  packets: count,
  bytes: count,
  hits: count,
})

const seq = z.number().int().positive()
/** Base64, of the agents' own making. */
const carried = z.string().max(32 * 1024 * 1024)

export const agentMessageSchema = z.discriminatedUnion('kind', [
  z.strictObject({
    kind: z.literal('hello'),
    protocol: z.literal(protocolVersion),
    software: text,
    heldRevision: revision,
    heldDigest: digest.nullable(),
    kernel: text,
    /**
     * Names the numbering of this agent's reports; made anew whenever it starts over at 1. With the same name after a break, a report that is sent again
     * and was stored already is acknowledged and not stored twice. Without it every connection starts a numbering of its own.
     */
    stream: text.optional(),
  }),
  ...fetchMessageSchemas,
  z.strictObject({
    kind: z.literal('plan-result'),
    revision,
    digest,
    outcome: z.enum(['applied', 'refused', 'failed']),
    reason: text.nullable(),
    appliedInMs: z.number().nonnegative().max(Number.MAX_SAFE_INTEGER),
  }),
  /** The whole set of VMs of this host, after each change. An agent that could not read libvirt sends nothing: absence here means gone. */
  z.strictObject({ kind: z.literal('inventory'), seq, vms: z.array(reportedVmSchema).max(10_000) }),
  z.strictObject({
    kind: z.literal('status'),
    seq,
    revision,
    driver: text,
    drift: z.number().int().min(0).max(2_147_483_647),
    endpoints: z.array(endpointStatusSchema).max(10_000),
    counters: z.array(ruleCounterSchema).max(100_000),
    rssBytes: count,
  }),
  z.strictObject({
    kind: z.literal('events'),
    seq,
    datapath: z.array(datapathEventSchema).max(2000),
    agent: z.array(agentEventSchema).max(2000),
    lost: count,
  }),
  /** Answers `verify`; without a state, why the kernel could not be read. */
  z.strictObject({
    kind: z.literal('verified'),
    id: seq,
    state: realizedStateSchema.nullable(),
    reason: text.nullable(),
  }),
  /** Connections of a VM: answers `export-connections`, and comes once more, by itself, when a VM that is moved out stops here. */
  z.strictObject({ kind: z.literal('connections'), id: seq, carried: carried.nullable(), reason: text.nullable() }),
  /** Answers `import-connections` and `move-out`; null = done. */
  z.strictObject({ kind: z.literal('carried-in'), id: seq, reason: text.nullable() }),
  z.strictObject({ kind: z.literal('moved-out'), id: seq, reason: text.nullable() }),
  /** PKCS #10, PEM: asks for a fresh certificate before the present one ends. Answered by `certificate`. */
  z.strictObject({ kind: z.literal('renew'), csr: z.string().max(16_384) }),
])

export const centerMessageSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('welcome'), center: text, host: text, time: text }),
  /** A plan exists for this host; sent on connect and at each publish. The agent fetches it when the digest is not the one it holds, and refuses a revision older than its own. */
  z.strictObject({ kind: z.literal('plan-available'), revision, digest }),
  ...planMessageSchemas,
  /** Asks what the kernel holds; answered by `verified` of the same id. */
  z.strictObject({ kind: z.literal('verify'), id: seq }),
  /** Asks for the connections of a VM of this host; answered by `connections`. */
  z.strictObject({ kind: z.literal('export-connections'), id: seq, vm: text }),
  /** Those of a VM that comes; answered by `carried-in`. Refused unless the plan in force has the VM. */
  z.strictObject({ kind: z.literal('import-connections'), id: seq, vm: text, carried }),
  /** Asks libvirt here to migrate a VM; answered by `moved-out` when that is over. */
  z.strictObject({ kind: z.literal('move-out'), id: seq, vm: text, destination: text, migrateUri: text.nullable() }),
  z.strictObject({ kind: z.literal('ack'), seq }),
  z.strictObject({ kind: z.literal('certificate'), certificate: z.string().max(65_536) }),
  z.strictObject({ kind: z.literal('error'), code: text, message: text }),
])

export type AgentMessage = z.infer<typeof agentMessageSchema>
export type CenterMessage = z.infer<typeof centerMessageSchema>
export type AgentEvent = z.infer<typeof agentEventSchema>
export type ReportedDatapathEvent = z.infer<typeof datapathEventSchema>
export type ReportedVm = z.infer<typeof reportedVmSchema>
export type EndpointStatus = z.infer<typeof endpointStatusSchema>

/** Largest frame either side accepts, bytes. A plan comes in many (plan/plan-messages.ts). */
export const maxFrameBytes = 64 * 1024 * 1024

/** What the center takes of one report; what is beyond is left out, VM by VM, and told. Every address is in the plan of every host. */
export const reportLimits = {
  addressesPerEndpoint: 16,
  endpointsPerVm: 64,
  labelsPerVm: 256,
  vmsPerHost: 4096,
  addressesPerHost: 8192,
} as const
