/** A small agent over a real connection: says of every plan it is told of that it is in force, reports one inventory, tells what a test asks it to. */
import { toCenterTlsOptions, type Enrolled } from '@hyperward/pki'
import {
  centerMessageSchema,
  protocolVersion,
  type AgentMessage,
  type RealizedState,
  type ReportedVm,
} from '@hyperward/protocol'
import { WebSocket } from 'ws'

export interface SmallAgent {
  /** Done to what it finds when it is asked to verify; as planned unless told. */
  readonly setFound: (change: (state: RealizedState) => RealizedState) => void
  readonly send: (message: AgentMessage) => void
  readonly close: () => void
}

export async function connectAgent(
  url: string,
  { keyPem, certificatePem, caPem }: Enrolled,
  vms: readonly ReportedVm[],
): Promise<SmallAgent> {
  const socket = new WebSocket(
    `${url.replace('https', 'wss')}/v1/agent`,
    toCenterTlsOptions(caPem, { keyPem, certificatePem }),
  )
  let held: RealizedState['plan'] = null
  let found = (state: RealizedState): RealizedState => state
  const send = (message: AgentMessage): void => socket.send(JSON.stringify(message))
  await new Promise<void>((resolve, reject) => {
    socket.on('error', reject)
    socket.on('open', () => {
      const hello = {
        protocol: protocolVersion,
        software: 'small',
        heldRevision: 0,
        heldDigest: null,
        kernel: '6.1',
      } as const
      send({ kind: 'hello', ...hello })
      send({ kind: 'inventory', seq: 1, vms: [...vms] })
    })
    socket.on('message', (data: Buffer) => {
      const message = centerMessageSchema.parse(JSON.parse(data.toString('utf8')))
      if (message.kind === 'ack' && message.seq === 1) resolve()
      if (message.kind === 'plan-available') send({ kind: 'fetch-plan', digest: message.digest })
      if (message.kind === 'verify') {
        const endpoints = vms.flatMap(({ uuid, name, endpoints: all }) =>
          all.map(({ mac }) => ({
            endpoint: `${uuid}/${mac}`,
            vmName: name,
            device: `tap-${name}`,
            state: 'realized' as const,
            reason: null,
            rows: 2,
            findings: [],
          })),
        )
        const tables = [
          { table: 'verdicts' as const, rows: 2 * endpoints.length, missing: 0, surplus: 0, different: 0 },
        ]
        send({ kind: 'verified', id: message.id, state: found({ plan: held, endpoints, tables }), reason: null })
      }
      if (message.kind === 'plan-sections') {
        const { revision, digest } = message
        held = { revision, digest }
        send({ kind: 'plan-result', revision, digest, outcome: 'applied', reason: null, appliedInMs: 3 })
      }
    })
  })
  return { send, setFound: (change) => (found = change), close: () => socket.terminate() }
}
