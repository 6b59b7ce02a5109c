import { readFileSync } from 'node:fs'
import { join } from 'node:path'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { decodeEvent } from './libvirt-connection.ts'
import { encodeMessage, MessageStream, type Message } from './message-stream.ts'
import { procedures, virNetMessageErrorCodec } from './protocol.gen.ts'
import { XdrError, XdrReader, XdrWriter } from './xdr.ts'

/** What libvirtd 9.0.0 sent in one session: open, subscribe, a domain defined, list, state, an error, host name, version. */
const recorded = Buffer.from(
  readFileSync(join(import.meta.dirname, 'protocol/recorded.hex'), 'utf8').replaceAll('\n', ''),
  'hex',
)
const none = { prog: 1, vers: 1, proc: 1, type: 0, serial: 1, status: 0 }

function replies(messages: readonly Message[], procedure: { readonly number: number }): readonly Message[] {
  return messages.filter(({ header }) => header.type === 1 && header.proc === procedure.number)
}

test('a recorded session decodes to what was asked', () => {
  const messages = new MessageStream().push(recorded)
  const domain = { name: 'bare', uuid: Uint8Array.from(Buffer.from('11111111222243338444555555555601', 'hex')), id: -1 }
  const [list] = replies(messages, procedures.connectListAllDomains)
  if (list === undefined) throw new Error('no list recorded')
  expect(procedures.connectListAllDomains.ret.decode(list.body)).toEqual({ domains: [domain], ret: 1 })
  list.body.end()
  const [refused] = replies(messages, procedures.domainGetXmlDesc)
  if (refused === undefined) throw new Error('no error recorded')
  expect(refused.header.status).toBe(1)
  expect(virNetMessageErrorCodec.decode(refused.body)).toMatchObject({ code: 42, domain: 10 })
  const [version] = replies(messages, procedures.connectGetLibVersion)
  if (version === undefined) throw new Error('no version recorded')
  expect(procedures.connectGetLibVersion.ret.decode(version.body)).toEqual({ lib_ver: 9_000_000n })
  const events = messages
    .filter(({ header }) => header.type === 2)
    .map(({ header, body }) => decodeEvent(header.proc, body))
  expect(events).toEqual([
    {
      kind: 'lifecycle',
      event: 'defined',
      detail: 0,
      domain: { name: 'bare', uuid: '11111111-2222-4333-8444-555555555601', id: -1 },
    },
  ])
})

test('messages are the same however the bytes are cut', () => {
  const whole = new MessageStream().push(recorded).map(({ header, body }) => [header, body.left])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1 }), (sizes) => {
      const stream = new MessageStream()
      const seen: unknown[] = []
      for (let at = 0, n = 0; at < recorded.length; n++) {
        const size = sizes[n % sizes.length] ?? 1
        for (const { header, body } of stream.push(recorded.subarray(at, at + size))) seen.push([header, body.left])
        at += size
      }
      expect(seen).toEqual(whole)
    }),
  )
})

test('a length outside the limits is refused before anything is kept for it', () => {
  for (const length of [0, 4, 27, 33_554_437, 0xffff_ffff]) {
    const bytes = Buffer.alloc(8)
    bytes.writeUInt32BE(length)
    expect(() => new MessageStream().push(bytes), String(length)).toThrow(XdrError)
  }
})

test('an array or string longer than what is left is refused', () => {
  const writer = new XdrWriter()
  writer.unsigned(16_000)
  expect(() => procedures.connectListAllDomains.ret.decode(new XdrReader(writer.bytes()))).toThrow(/array of 16000/)
  expect(() => procedures.domainGetXmlDesc.ret.decode(new XdrReader(Buffer.from('00400001', 'hex')))).toThrow(/string/)
})

test('any bytes either decode or throw XdrError', () => {
  const codecs = [...Object.values(procedures).map((one) => one.ret), virNetMessageErrorCodec]
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 0, max: codecs.length - 1 }), (bytes, index) => {
      try {
        codecs[index]?.decode(new XdrReader(bytes))
      } catch (error) {
        expect(error).toBeInstanceOf(XdrError)
      }
    }),
    { numRuns: 3000 },
  )
})

test('what is encoded decodes to the same, padding included', () => {
  const nameAndId = fc.record({
    name: fc.string({ unit: 'grapheme' }),
    uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }),
    id: fc.integer(),
  })
  fc.assert(
    fc.property(fc.option(nameAndId), fc.integer(), (dom, eventID) => {
      const codec = procedures.connectDomainEventCallbackRegisterAny.args
      const bytes = encodeMessage(none, (writer) => codec.encode(writer, { eventID, dom }))
      expect(bytes.length % 4).toBe(0)
      const [message] = new MessageStream().push(bytes)
      if (message === undefined) throw new Error('no message')
      expect(codec.decode(message.body)).toEqual({ eventID, dom })
      message.body.end()
    }),
  )
})
