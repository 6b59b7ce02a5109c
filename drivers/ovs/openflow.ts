/** An OpenFlow 1.4 connection over a bridge's management socket. */
import { connect } from 'node:net'

import { known, unknown, type Observed } from '@hyperward/model'

import { messageTypes, renderBundleAdd, renderBundleControl, renderMessage } from './render.ts'

export interface OpenFlow {
  /** The whole body of a multipart answer. */
  request(body: Buffer): Promise<Observed<Buffer>>
  /** All messages take effect at once, or none does. null, or why none did. */
  commit(messages: readonly { readonly type: number; readonly body: Buffer }[]): Promise<string | null>
  close(): void
}

interface Waiting {
  readonly parts: Buffer[]
  readonly resolve: (answer: Observed<Buffer>) => void
}

export async function openOpenFlow(path: string, timeoutMs = 10_000): Promise<Observed<OpenFlow>> {
  const socket = connect(path)
  const waiting = new Map<number, Waiting>()
  let buffered: Buffer = Buffer.alloc(0)
  let xid = 0
  let firstError: string | null = null
  let ended: string | null = null

  const end = (reason: string): void => {
    ended ??= `${path}: ${reason}`
    socket.destroy()
    for (const one of waiting.values()) one.resolve(unknown(ended))
    waiting.clear()
  }
  socket.setTimeout(timeoutMs, () => end('no answer'))
  socket.on('error', (error) => end(error.message))
  socket.on('close', () => end('closed'))
  socket.on('data', (chunk: Buffer) => {
    buffered = Buffer.concat([buffered, chunk])
    while (buffered.length >= 8) {
      const length = buffered.readUInt16BE(2)
      if (length < 8) return end('not OpenFlow')
      if (buffered.length < length) return
      onMessage(buffered.readUInt8(1), buffered.readUInt32BE(4), Buffer.from(buffered.subarray(8, length)))
      buffered = buffered.subarray(length)
    }
  })

  function onMessage(type: number, id: number, body: Buffer): void {
    if (type === messageTypes.echoRequest) return void socket.write(renderMessage(messageTypes.echoReply, id, body))
    const one = waiting.get(id)
    if (type === messageTypes.error) {
      firstError ??= `error ${body.readUInt16BE(0)}/${body.readUInt16BE(2)}`
      waiting.delete(id)
      return one?.resolve(unknown(`${path}: ${firstError}`))
    }
    if (one === undefined) return
    one.parts.push(type === messageTypes.multipartReply ? body.subarray(8) : body)
    // more parts follow
    if (type === messageTypes.multipartReply && (body.readUInt16BE(2) & 1) === 1) return
    waiting.delete(id)
    one.resolve(known(Buffer.concat(one.parts)))
  }

  function call(type: number, body: Buffer): Promise<Observed<Buffer>> {
    if (ended !== null) return Promise.resolve(unknown(ended))
    const id = (xid += 1)
    return new Promise((resolve) => {
      waiting.set(id, { parts: [], resolve })
      socket.write(renderMessage(type, id, body))
    })
  }

  // the other side's hello has an xid of its own: that a first call is answered says that both speak the version
  socket.write(renderMessage(messageTypes.hello, 0, Buffer.alloc(0)))
  const spoken = await call(messageTypes.echoRequest, Buffer.alloc(0))
  if (!spoken.known) return spoken

  return known({
    request: (body) => call(messageTypes.multipartRequest, body),
    async commit(messages) {
      firstError = null
      const bundle = (xid += 1)
      const opened = await call(messageTypes.bundleControl, renderBundleControl(bundle, 'open'))
      if (!opened.known) return opened.reason
      for (const { type, body } of messages) {
        const id = (xid += 1)
        const added = renderBundleAdd(bundle, renderMessage(type, id, body))
        socket.write(renderMessage(messageTypes.bundleAdd, id, added))
      }
      const done = await call(messageTypes.bundleControl, renderBundleControl(bundle, 'commit'))
      return done.known ? firstError : done.reason
    },
    close: () => {
      ended ??= `${path}: closed here`
      socket.destroy()
    },
  })
}
