/**
 * One agent's connection: frames in, one at a time, in order; a report is acknowledged only after it is stored. What it says of its host is stored under
 * the name in its certificate. Whatever is not a message of the protocol cuts this connection, and only this one.
 */
import { OperationError, type OperationErrorCode } from '@hyperward/model'
import { agentMessageSchema, type CenterMessage } from '@hyperward/protocol'
import type { RawData, WebSocket } from 'ws'

import { createAgentQuestions } from './agent-questions.ts'
import type { AgentConnection } from './agent-registry.ts'
import { answerAgent, type AgentIdentity, type AgentSession, type AnswerDependencies } from './answer-agent.ts'

export interface ServeOptions {
  readonly heartbeatMs: number
  /** Bytes that may wait to be sent; beyond, the agent is too slow. */
  readonly maxWaitingBytes: number
  /** Bytes of frames that may wait to be worked on; beyond, reading pauses and TCP slows the agent down. One frame may be larger. */
  readonly maxUnworkedBytes: number
  /** How long an agent has for an answer. */
  readonly answerMs: number
}

export const serveDefaults: ServeOptions = {
  heartbeatMs: 15_000,
  // what an agent asks for at once is one batch, or one chunk
  maxWaitingBytes: 64 * 1024 * 1024,
  maxUnworkedBytes: 1024 * 1024,
  answerMs: 20_000,
}

export interface ServeDependencies extends AnswerDependencies {
  readonly onClosed: (connection: AgentConnection, reason: string) => void
  /** A defect met while serving: the connection is cut, the defect is logged. */
  readonly onFailure: (host: string, error: unknown) => void
}

export function serveAgent(
  socket: WebSocket,
  identity: AgentIdentity,
  dependencies: ServeDependencies,
  options: ServeOptions,
): AgentConnection {
  const session: AgentSession = {
    ...identity,
    greeted: false,
    announcedRevision: 0,
  }
  const waiting: RawData[] = []
  let waitingBytes = 0
  let working = false
  let answered = true
  let reason = 'closed by the agent'

  const send = (message: CenterMessage): void => {
    if (socket.readyState !== socket.OPEN) return
    socket.send(JSON.stringify(message))
    if (socket.bufferedAmount > options.maxWaitingBytes) {
      reason = 'agent.too-slow'
      // the error would wait behind all that is not taken: close at once
      socket.terminate()
    }
  }

  const cut = (code: OperationErrorCode, message: string): void => {
    if (socket.readyState !== socket.OPEN) return
    reason = code
    waiting.length = 0
    send({ kind: 'error', code, message })
    socket.close(1008, code)
    setTimeout(() => socket.terminate(), 2000).unref()
  }

  const questions = createAgentQuestions(identity.host, send, options.answerMs)

  const connection: AgentConnection = {
    host: identity.host,
    announce(revision, digest) {
      // a publish and a reconnect may cross: what was announced later stays the latest
      if (!session.greeted || revision < session.announcedRevision) return false
      session.announcedRevision = revision
      send({ kind: 'plan-available', revision, digest })
      return true
    },
    verify: questions.verify,
    exportConnections: questions.exportConnections,
    importConnections: questions.importConnections,
    moveOut: questions.moveOut,
    cut,
  }

  const isOpen = (): boolean => socket.readyState === socket.OPEN
  const reply = { send, isOpen, announce: connection.announce, onAnswer: questions.onAnswer }

  const work = async (): Promise<void> => {
    if (working) return
    working = true
    for (let frame = waiting.shift(); frame !== undefined; frame = waiting.shift()) {
      try {
        await answerAgent(parseFrame(frame), session, reply, dependencies)
      } catch (error) {
        if (error instanceof OperationError) cut(error.code, error.message)
        else {
          cut('api.internal', 'the center failed on this message; it is in its log')
          dependencies.onFailure(identity.host, error)
        }
      }
      waitingBytes -= byteLength(frame)
      if (waitingBytes < options.maxUnworkedBytes && socket.isPaused) socket.resume()
    }
    working = false
  }

  socket.on('message', (frame: RawData, isBinary: boolean) => {
    if (isBinary) return cut('agent.bad-message', 'frames are text')
    if (socket.readyState !== socket.OPEN) return
    waiting.push(frame)
    waitingBytes += byteLength(frame)
    if (waitingBytes >= options.maxUnworkedBytes) socket.pause()
    void work()
  })
  socket.on('pong', () => (answered = true))
  // a frame beyond the limit or broken framing: ws closes by itself and tells it here
  socket.on('error', (error) => (reason = `agent.bad-message: ${error.message}`))

  const heartbeat = setInterval(() => {
    if (dependencies.clock() > session.certificateEndsAt) {
      return cut('agent.certificate-ended', 'the certificate of this host ended; it was not renewed in time')
    }
    if (!answered) return cut('agent.silent', 'no answer to a heartbeat')
    // while reading is paused the answer cannot be seen
    answered = socket.isPaused
    socket.ping()
  }, options.heartbeatMs)
  heartbeat.unref()
  socket.on('close', () => {
    clearInterval(heartbeat)
    waiting.length = 0
    questions.end()
    dependencies.onClosed(connection, reason)
  })
  return connection
}

function byteLength(frame: RawData): number {
  return Array.isArray(frame) ? frame.reduce((sum, part) => sum + part.byteLength, 0) : frame.byteLength
}

function parseFrame(frame: RawData): ReturnType<typeof agentMessageSchema.parse> {
  const bytes = Array.isArray(frame) ? Buffer.concat(frame) : Buffer.from(frame as ArrayBuffer)
  const text = bytes.toString('utf8')
  // the store's text holds no NUL
  if (text.includes('\\u0000')) throw new OperationError('agent.bad-message', 'a frame holds a NUL character')
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    // JSON's own message may quote the text: ours does not
    throw new OperationError('agent.bad-message', 'a frame is not JSON')
  }
  const parsed = agentMessageSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const message = `not a message of the protocol: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`.slice(0, 500)
  const isHello = typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'hello'
  const otherVersion = isHello && issue?.path[0] === 'protocol'
  throw new OperationError(otherVersion ? 'agent.protocol-mismatch' : 'agent.bad-message', message)
}
