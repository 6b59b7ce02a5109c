/**
 * One connection to libvirtd's socket: calls with their answers, messages without a call, keepalive both ways. Knows the protocol, not
 * what domains are. Ends itself when libvirt is silent or talks nonsense, and tells so once; connecting again is the caller's.
 */
import { connect, type Socket } from 'node:net'

import { OperationError } from '@hyperward/model'

import { encodeMessage, MessageStream, type Message } from './message-stream.ts'
import {
  KEEPALIVE_PROGRAM,
  KEEPALIVE_PROTOCOL_VERSION,
  KeepaliveProcedure,
  REMOTE_PROGRAM,
  REMOTE_PROTOCOL_VERSION,
  VirNetMessageStatus,
  VirNetMessageType,
  virNetMessageErrorCodec,
  type procedures,
} from './protocol.gen.ts'
import type { Codec, XdrReader } from './xdr.ts'

export interface RpcOptions {
  readonly path: string
  /** An answer that takes longer ends the connection (`libvirt.unresponsive`). */
  readonly callTimeoutMs: number
  /** A ping is sent after this much silence; twice this much without a byte ends the connection (`libvirt.unresponsive`). */
  readonly keepaliveIntervalMs: number
  /** A message without a call; throwing on it ends the connection as malformed. */
  readonly onMessage: (procedure: number, body: XdrReader) => void
  /** Once, when the connection has ended; null = `close` was called. */
  readonly onClose: (error: OperationError | null) => void
}

type Procedures = typeof procedures
export type Procedure = Procedures[keyof Procedures]
type ValueOf<C> = C extends Codec<infer T> ? T : never

export interface RpcConnection {
  call<P extends Procedure>(procedure: P, args: ValueOf<P['args']>): Promise<ValueOf<P['ret']>>
  /** Idempotent. */
  close(): void
}

interface Pending {
  readonly procedure: Procedure
  readonly resolve: (value: never) => void
  readonly reject: (error: OperationError) => void
  readonly timer: NodeJS.Timeout
}

/** Fails with `libvirt.unreachable`. */
export async function createRpcConnection(options: RpcOptions): Promise<RpcConnection> {
  const { path, callTimeoutMs, keepaliveIntervalMs } = options
  const socket = await openSocket(path, callTimeoutMs)
  const stream = new MessageStream()
  const pending = new Map<number, Pending>()
  let serial = 0
  let ended = false
  let lastHeard = performance.now()

  const end = (error: OperationError | null): void => {
    if (ended) return
    ended = true
    clearInterval(keepalive)
    socket.destroy()
    const reason = error ?? new OperationError('libvirt.closed', 'the connection to libvirt was closed', { path })
    for (const call of pending.values()) {
      clearTimeout(call.timer)
      call.reject(reason)
    }
    pending.clear()
    options.onClose(error)
  }
  const endSilent = (silentMs: number): void => {
    const message = `libvirt at ${path} did not answer for ${silentMs} ms; endpoints keep the rules they have`
    end(new OperationError('libvirt.unresponsive', message, { path, silentMs }))
  }
  const endMalformed = (cause: unknown): void => {
    const reason = cause instanceof Error ? cause.message : String(cause)
    const message = `${path} does not speak libvirt's protocol: ${reason}`
    end(new OperationError('libvirt.malformed', message, { path }, cause))
  }
  const sendKeepalive = (proc: number): void => {
    const header = {
      prog: KEEPALIVE_PROGRAM,
      vers: KEEPALIVE_PROTOCOL_VERSION,
      proc,
      type: VirNetMessageType.VIR_NET_MESSAGE,
      serial: 0,
      status: VirNetMessageStatus.VIR_NET_OK,
    }
    socket.write(encodeMessage(header, () => undefined))
  }
  const keepalive = setInterval(() => {
    const silentMs = performance.now() - lastHeard
    if (silentMs > 2 * keepaliveIntervalMs) endSilent(Math.round(silentMs))
    else if (silentMs > keepaliveIntervalMs / 2) sendKeepalive(KeepaliveProcedure.KEEPALIVE_PROC_PING)
  }, keepaliveIntervalMs / 2)

  const onReply = ({ header, body }: Message): void => {
    const call = pending.get(header.serial)
    if (call === undefined) throw new Error(`an answer to no call (serial ${header.serial})`)
    if (header.proc !== call.procedure.number) throw new Error(`an answer to another procedure (${header.proc})`)
    // decoded before the call counts as answered: a malformed answer ends the connection, and with it this call
    if (header.status === VirNetMessageStatus.VIR_NET_OK) {
      const value = call.procedure.ret.decode(body)
      body.end()
      settle(header.serial, call, () => call.resolve(value as never))
    } else {
      const error = decodeError(body, path)
      settle(header.serial, call, () => call.reject(error))
    }
  }
  const settle = (answered: number, call: Pending, tell: () => void): void => {
    pending.delete(answered)
    clearTimeout(call.timer)
    tell()
  }
  const onMessage = (message: Message): void => {
    const { header, body } = message
    if (header.prog === KEEPALIVE_PROGRAM) {
      if (header.proc === KeepaliveProcedure.KEEPALIVE_PROC_PING) sendKeepalive(KeepaliveProcedure.KEEPALIVE_PROC_PONG)
      return
    }
    if (header.prog !== REMOTE_PROGRAM || header.vers !== REMOTE_PROTOCOL_VERSION) {
      throw new Error(`program ${header.prog} version ${header.vers}`)
    }
    if (header.type === VirNetMessageType.VIR_NET_REPLY) onReply(message)
    else if (header.type === VirNetMessageType.VIR_NET_MESSAGE) options.onMessage(header.proc, body)
    else throw new Error(`message type ${header.type}`)
  }
  socket.on('data', (chunk: Buffer) => {
    lastHeard = performance.now()
    try {
      for (const message of stream.push(chunk)) if (!ended) onMessage(message)
    } catch (cause) {
      endMalformed(cause)
    }
  })
  const onGone = (cause?: unknown): void =>
    end(new OperationError('libvirt.closed', `libvirt at ${path} closed the connection`, { path }, cause))
  socket.on('error', onGone)
  socket.on('close', () => onGone())

  return {
    close: () => end(null),
    call: (procedure, args) =>
      new Promise((resolve, reject) => {
        if (ended) {
          reject(new OperationError('libvirt.closed', 'the connection to libvirt has ended', { path }))
          return
        }
        serial = (serial + 1) >>> 0
        const header = {
          prog: REMOTE_PROGRAM,
          vers: REMOTE_PROTOCOL_VERSION,
          proc: procedure.number,
          type: VirNetMessageType.VIR_NET_CALL,
          serial,
          status: VirNetMessageStatus.VIR_NET_OK,
        }
        // args belong to this procedure by the signature; the union of codecs cannot say so
        const codec = procedure.args as Codec<typeof args>
        const bytes = encodeMessage(header, (writer) => codec.encode(writer, args))
        const timer = setTimeout(() => endSilent(callTimeoutMs), callTimeoutMs)
        pending.set(serial, { procedure, resolve, reject, timer })
        socket.write(bytes)
      }),
  }
}

function openSocket(path: string, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const fail = (reason: string, cause?: unknown): void => {
      clearTimeout(timer)
      socket.destroy()
      const message = `libvirt at ${path} cannot be reached: ${reason}; endpoints keep the rules they have`
      reject(new OperationError('libvirt.unreachable', message, { path }, cause))
    }
    const timer = setTimeout(() => fail(`no connection within ${timeoutMs} ms`), timeoutMs)
    const onError = (error: Error): void => fail(error.message, error)
    socket.once('error', onError)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      resolve(socket)
    })
  })
}

function decodeError(body: XdrReader, path: string): OperationError {
  const error = virNetMessageErrorCodec.decode(body)
  const message = `libvirt refused: ${error.message ?? 'no reason given'}`
  return new OperationError('libvirt.call-failed', message, {
    path,
    libvirtCode: error.code,
    libvirtDomain: error.domain,
  })
}
