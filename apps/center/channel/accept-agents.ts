/** The WebSocket end of `/v1/agent`: only a connection whose TLS client certificate is of our authority, not ended, and of an enrolled host gets through. */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { TLSSocket } from 'node:tls'

import type { OperationErrorCode } from '@hyperward/model'
import { readHostName } from '@hyperward/pki'
import { maxFrameBytes } from '@hyperward/protocol'
import { isEnrolled, takeCertificate } from '@hyperward/store'
import { WebSocketServer } from 'ws'

import type { AgentRegistry } from './agent-registry.ts'
import type { AgentIdentity } from './answer-agent.ts'
import { serveAgent, type ServeDependencies, type ServeOptions } from './serve-agent.ts'

export interface AcceptDependencies extends ServeDependencies {
  readonly registry: AgentRegistry
  readonly onRefused: (reason: string, remote: string) => void
  readonly onConnected: (host: string) => void
}

export const agentPath = '/v1/agent'

export function acceptAgents(
  server: Server,
  dependencies: AcceptDependencies,
  options: ServeOptions,
): { close(): void } {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: maxFrameBytes, perMessageDeflate: false })

  const onUpgrade = async (request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> => {
    const refuse = (status: number, code: OperationErrorCode, message: string): void => {
      dependencies.onRefused(`${code}: ${message}`, request.socket.remoteAddress ?? '')
      const body = JSON.stringify({ code, message, details: {} })
      socket.end(
        `HTTP/1.1 ${status} Refused\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
      )
    }
    if (new URL(request.url ?? '/', 'https://center').pathname !== agentPath) {
      return refuse(404, 'api.not-found', 'only /v1/agent takes a WebSocket')
    }
    const identity = readIdentity(request.socket, dependencies.clock())
    if ('reason' in identity) return refuse(401, 'api.unauthenticated', identity.reason)
    if (!(await isEnrolled(dependencies.store, identity.host))) {
      return refuse(403, 'agent.unknown-host', `${identity.host} is not an enrolled host`)
    }
    if (!(await takeCertificate(dependencies.store, identity.host, identity.certificateSerial))) {
      const message = `the certificate is not the latest of ${identity.host}: the host was enrolled or renewed since; enrol it anew`
      return refuse(403, 'agent.certificate-replaced', message)
    }
    sockets.handleUpgrade(request, socket, head, (webSocket) => {
      const connection = serveAgent(webSocket, identity, dependencies, options)
      dependencies.registry.add(connection)
      dependencies.onConnected(identity.host)
    })
  }

  server.on('upgrade', (request, socket, head) => {
    socket.on('error', () => socket.destroy())
    onUpgrade(request, socket, head).catch((error: unknown) => {
      dependencies.onFailure('', error)
      socket.destroy()
    })
  })
  return {
    close() {
      for (const client of sockets.clients) client.close(1001, 'the center stops')
      sockets.close()
    },
  }
}

function readIdentity(socket: unknown, now: Date): AgentIdentity | { readonly reason: string } {
  if (!(socket instanceof TLSSocket)) return { reason: 'agents speak TLS' }
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) return { reason: 'agents show a client certificate' }
  if (!socket.authorized) return { reason: `the client certificate is refused: ${String(socket.authorizationError)}` }
  // TLS has judged by the system's clock; ours may be another
  const certificateEndsAt = new Date(certificate.validTo)
  if (now > certificateEndsAt) return { reason: 'the client certificate has ended' }
  const host = readHostName(certificate)
  if (host === null) return { reason: 'the client certificate names no host' }
  return { host, certificateSerial: certificate.serialNumber.toLowerCase(), certificateEndsAt }
}
