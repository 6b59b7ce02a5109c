/** One WebSocket to the center inside mutually authenticated TLS 1.3: the only file that knows `ws`. */
import { maxFrameBytes } from '@hyperward/protocol'
import { toCenterTlsOptions, type TlsIdentity } from '@hyperward/pki'
import { WebSocket } from 'ws'

import type { Connection, ConnectionHandlers } from './channel-client.ts'

export interface WebsocketOptions {
  /** `https://host:port` of the center. */
  readonly center: string
  readonly path: string
  readonly identity: TlsIdentity
  readonly handshakeTimeoutMs?: number
}

export function connectWebsocket(options: WebsocketOptions, handlers: ConnectionHandlers): Connection {
  const url = new URL(options.path, options.center)
  url.protocol = 'wss:'
  const socket = new WebSocket(url, {
    ...toCenterTlsOptions(options.identity.caPem, options.identity),
    handshakeTimeout: options.handshakeTimeoutMs ?? 10_000,
    maxPayload: maxFrameBytes,
    perMessageDeflate: false,
    followRedirects: false,
  })
  let reason: string | null = null
  socket.on('open', handlers.onOpen)
  socket.on('message', (content, isBinary) => {
    if (isBinary) return socket.terminate()
    // one message is one Buffer with the default binaryType; String() joins nothing
    handlers.onText(Buffer.isBuffer(content) ? content.toString('utf8') : '')
  })
  socket.on('pong', handlers.onAlive)
  socket.on('ping', handlers.onAlive)
  socket.on('error', (error) => (reason ??= error.message))
  socket.on('close', (code, text) => handlers.onClose(reason ?? `closed by the center (${code} ${text.toString()})`))
  return {
    send: (text) => socket.send(text, () => undefined),
    ping: () => socket.ping(),
    bufferedBytes: () => socket.bufferedAmount,
    close(why) {
      reason ??= why
      socket.terminate()
    },
  }
}
