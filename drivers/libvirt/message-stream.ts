/** Cuts the byte stream of a libvirt connection into messages. A length is checked before anything is kept for it. */
import { VIR_NET_MESSAGE_MAX, virNetMessageHeaderCodec, type VirNetMessageHeader } from './protocol.gen.ts'
import { XdrError, XdrReader, XdrWriter } from './xdr.ts'

export interface Message {
  readonly header: VirNetMessageHeader
  readonly body: XdrReader
}

const lengthBytes = 4
const headerBytes = 24

/** Throws `XdrError` on a length outside the protocol's limits; the stream is unusable then. */
export class MessageStream {
  #chunks: Buffer[] = []
  #size = 0

  push(chunk: Buffer): readonly Message[] {
    this.#chunks.push(chunk)
    this.#size += chunk.length
    const messages: Message[] = []
    for (;;) {
      if (this.#size < lengthBytes) return messages
      const length = this.#peekLength()
      // the length counts itself
      if (length < lengthBytes + headerBytes || length > VIR_NET_MESSAGE_MAX + lengthBytes) {
        throw new XdrError(`message of ${length} bytes`)
      }
      if (this.#size < length) return messages
      const reader = new XdrReader(this.#take(length).subarray(lengthBytes))
      messages.push({ header: virNetMessageHeaderCodec.decode(reader), body: reader })
    }
  }

  #peekLength(): number {
    const [first] = this.#chunks
    if (first !== undefined && first.length >= lengthBytes) return first.readUInt32BE(0)
    this.#join()
    return this.#chunks[0]?.readUInt32BE(0) ?? 0
  }

  #take(length: number): Buffer {
    this.#join()
    const all = this.#chunks[0] ?? Buffer.alloc(0)
    this.#chunks = [all.subarray(length)]
    this.#size -= length
    return all.subarray(0, length)
  }

  /** Chunks are joined only when a message is whole (or its length is split), so a long one is copied once. */
  #join(): void {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)]
  }
}

export function encodeMessage(header: VirNetMessageHeader, encodeBody: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter()
  virNetMessageHeaderCodec.encode(writer, header)
  encodeBody(writer)
  const message = writer.bytes()
  const length = Buffer.alloc(lengthBytes)
  length.writeUInt32BE(lengthBytes + message.length)
  return Buffer.concat([length, message])
}
