/** What each message of an agent does. Throws `OperationError` for what must cut the connection. */
import { assertNever, OperationError, type HostName } from '@hyperward/model'
import type { Ca } from '@hyperward/pki'
import { servePlan, type AgentMessage, type CenterMessage, type FetchMessage } from '@hyperward/protocol'
import {
  markFetched,
  markHeld,
  markRenewed,
  replaceVms,
  storeHello,
  storePlanResult,
  storeStatus,
  takeSeq,
  type Store,
} from '@hyperward/store'

import type { InventoryView } from '../services/inventory-view.ts'
import type { Publisher } from '../services/publisher.ts'
import { tellMoves, type Recorder } from '../services/recorder.ts'
import { toNewFlow, toReportedVms, toStoredTime } from './read-report.ts'

import type { AgentQuestions } from './agent-questions.ts'

export interface AnswerDependencies {
  readonly store: Store
  readonly ca: Ca
  readonly publisher: Publisher
  readonly inventory: InventoryView
  readonly recorder: Recorder
  readonly clock: () => Date
  readonly centerName: string
  readonly onAnnounced: (revision: number, hosts: readonly string[]) => void
}

/** What the client certificate of a connection says. */
export interface AgentIdentity {
  readonly host: string
  /** Lower-case hex. */
  readonly certificateSerial: string
  readonly certificateEndsAt: Date
}

/** What the connection knows of its agent; changed here only, one message at a time. */
export interface AgentSession {
  readonly host: string
  greeted: boolean
  /** Of the latest certificate given to this connection. */
  certificateSerial: string
  certificateEndsAt: Date
  announcedRevision: number
}

export interface AgentReply {
  readonly send: (message: CenterMessage) => void
  /** Nothing that is sent arrives any more. */
  readonly isOpen: () => boolean
  readonly announce: (revision: number, digest: string) => boolean
  readonly onAnswer: AgentQuestions['onAnswer']
}

export async function answerAgent(
  message: AgentMessage,
  session: AgentSession,
  reply: AgentReply,
  dependencies: AnswerDependencies,
): Promise<void> {
  const { store, publisher, recorder, inventory, clock } = dependencies
  const host = session.host
  if (message.kind === 'hello') return onHello(message, session, reply, dependencies)
  if (!session.greeted) throw new OperationError('agent.bad-message', 'the first message must be hello')
  switch (message.kind) {
    case 'fetch-plan':
    case 'fetch-sections':
    case 'fetch-chunks':
      return sendPlan(message, host, reply, dependencies)
    case 'plan-result': {
      await storePlanResult(store, { host, ...message, now: clock() })
      if (message.outcome === 'applied') return
      const text = `plan of revision ${message.revision} was not put in force: ${message.reason ?? 'no reason given'}`
      return recorder.event(host, message.outcome === 'refused' ? 'plan-refused' : 'plan-failed', text)
    }
    case 'inventory': {
      const { vms, problems, clipped } = toReportedVms(message.vms)
      const now = clock()
      const isNew = await store.transaction(async (tx) => {
        if (!(await takeSeq(tx, host, message.seq, now))) return false
        await replaceVms(tx, host, vms, now)
        return true
      })
      if (isNew) {
        const moves = inventory.replaceVms(host, vms, clipped, now)
        publisher.onInventoryChange()
        await tellMoves(recorder, moves)
        for (const problem of problems) await recorder.event(host, 'vm-metadata', problem)
      }
      return reply.send({ kind: 'ack', seq: message.seq })
    }
    case 'status': {
      const now = clock()
      const rules = await publisher.hosts.ruleRefs(host)
      await store.transaction(async (tx) => {
        if (await takeSeq(tx, host, message.seq, now)) await storeStatus(tx, { host, ...message, rules, now })
      })
      return reply.send({ kind: 'ack', seq: message.seq })
    }
    case 'events': {
      const now = clock()
      const flows = message.datapath.map((event) => toNewFlow(event, host, inventory))
      const lost =
        message.lost === 0
          ? []
          : [
              {
                kind: 'events-lost',
                at: now.toISOString(),
                endpoint: null,
                message: `${message.lost} events were lost at the host`,
              },
            ]
      const events = [...message.agent.map((event) => ({ ...event, at: toStoredTime(event.at) })), ...lost]
      await recorder.record(host, flows, events, (tx) => takeSeq(tx, host, message.seq, now))
      return reply.send({ kind: 'ack', seq: message.seq })
    }
    case 'verified':
    case 'connections':
    case 'carried-in':
    case 'moved-out':
      return reply.onAnswer(message)
    case 'renew': {
      // the certificate's name is the connection's, which a certificate has proved
      const issued = await dependencies.ca.issueAgent(message.csr, host as HostName)
      if (!(await markRenewed(store, host, session.certificateSerial, issued))) {
        throw new OperationError('agent.certificate-replaced', `${host} was enrolled anew since this connection began`)
      }
      session.certificateSerial = issued.serial
      session.certificateEndsAt = issued.endsAt
      return reply.send({ kind: 'certificate', certificate: issued.pem })
    }
    default:
      return assertNever(message)
  }
}

async function onHello(
  message: Extract<AgentMessage, { kind: 'hello' }>,
  session: AgentSession,
  reply: AgentReply,
  dependencies: AnswerDependencies,
): Promise<void> {
  const { store, publisher, clock, centerName } = dependencies
  if (session.greeted) throw new OperationError('agent.bad-message', 'hello was said already')
  const { host } = session
  const now = clock()
  await storeHello(store, { ...message, host, stream: message.stream ?? null, now })
  reply.send({ kind: 'welcome', center: centerName, host, time: now.toISOString() })
  session.greeted = true
  const planned = publisher.hosts.find(host)
  if (planned === null) return
  if (reply.announce(planned.revision, planned.digest)) dependencies.onAnnounced(planned.revision, [host])
  if (message.heldDigest === planned.digest) await markHeld(store, host, planned.digest, now)
}

async function sendPlan(
  message: FetchMessage,
  host: string,
  reply: AgentReply,
  dependencies: AnswerDependencies,
): Promise<void> {
  const { store, publisher, clock } = dependencies
  const { digest } = message
  const plan = await publisher.hosts.served(host, digest)
  if (plan === null) return tellUnknown(digest, host, reply, publisher)
  const answer = servePlan(message, plan)
  if (answer.kind === 'refused') throw new OperationError('agent.bad-message', answer.reason)
  let chunks = 0
  for await (const frame of answer.frames) {
    if (!reply.isOpen()) return
    reply.send(frame)
    if (frame.kind === 'plan-chunks') chunks += frame.chunks.length
  }
  if (message.kind === 'fetch-plan') await markFetched(store, host, plan.revision, clock())
  if (message.kind === 'fetch-chunks' && chunks < message.chunks.length) tellUnknown(digest, host, reply, publisher)
}

/** Announced, then superseded before it was fetched: the newer one is announced already, or is now. */
function tellUnknown(digest: string, host: string, reply: AgentReply, publisher: Publisher): void {
  reply.send({ kind: 'error', code: 'agent.unknown-plan', message: `plan ${digest} is not the latest of this host` })
  const planned = publisher.hosts.find(host)
  if (planned !== null) reply.announce(planned.revision, planned.digest)
}
