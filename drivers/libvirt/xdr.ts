/**
 * XDR (RFC 4506), the part libvirt's protocol uses. Decoding is bounded: every length is checked against its limit and against what is
 * left before anything is allocated; padding must be zero; malformed input throws `XdrError`.
 */
export class XdrError extends Error {
  override readonly name = 'XdrError'
}

export interface Codec<T> {
  decode(reader: XdrReader): T
  encode(writer: XdrWriter, value: T): void
}

export class XdrReader {
  readonly #bytes: Buffer
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.#offset
  }

  unsigned(): number {
    return this.take(4).readUInt32BE(0)
  }

  signed(): number {
    return this.take(4).readInt32BE(0)
  }

  /** `length` bytes and the padding to the next multiple of four. The bytes are a view. */
  opaque(length: number): Buffer {
    const value = this.take(length)
    for (const pad of this.take(-length & 3)) if (pad !== 0) throw new XdrError('padding is not zero')
    return value
  }

  take(length: number): Buffer {
    if (length > this.left) throw new XdrError(`${length} bytes wanted, ${this.left} left`)
    const value = this.#bytes.subarray(this.#offset, this.#offset + length)
    this.#offset += length
    return value
  }

  end(): void {
    if (this.left !== 0) throw new XdrError(`${this.left} bytes too many`)
  }
}

export class XdrWriter {
  readonly #parts: Buffer[] = []

  unsigned(value: number): void {
    const part = Buffer.alloc(4)
    part.writeUInt32BE(value)
    this.#parts.push(part)
  }

  signed(value: number): void {
    const part = Buffer.alloc(4)
    part.writeInt32BE(value)
    this.#parts.push(part)
  }

  opaque(value: Uint8Array): void {
    this.#parts.push(Buffer.from(value), Buffer.alloc(-value.length & 3))
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

export const signed: Codec<number> = {
  decode: (reader) => reader.signed(),
  encode: (writer, value) => writer.signed(value),
}

export const unsigned: Codec<number> = {
  decode: (reader) => reader.unsigned(),
  encode: (writer, value) => writer.unsigned(value),
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const unsignedHyper: Codec<bigint> = {
  decode: (reader) => reader.take(8).readBigUInt64BE(0),
  encode: (writer, value) => {
    writer.unsigned(Number(value >> 32n))
    writer.unsigned(Number(value & 0xffff_ffffn))
  },
}

/** At most `limit` bytes of UTF-8. */
export function string(limit: number): Codec<string> {
  return {
    decode: (reader) => {
      const length = reader.unsigned()
      if (length > limit) throw new XdrError(`string of ${length} bytes, at most ${limit} allowed`)
      const bytes = reader.opaque(length)
      try {
        return utf8.decode(bytes)
      } catch {
        throw new XdrError('string is not UTF-8')
      }
    },
    encode: (writer, value) => {
      const bytes = Buffer.from(value, 'utf8')
      if (bytes.length > limit) throw new XdrError(`string of ${bytes.length} bytes, at most ${limit} allowed`)
      writer.unsigned(bytes.length)
      writer.opaque(bytes)
    },
  }
}

/** Exactly `length` bytes. */
export function opaque(length: number): Codec<Uint8Array> {
  return {
    // copied: a view would keep the whole message alive
    decode: (reader) => Uint8Array.from(reader.opaque(length)),
    encode: (writer, value) => {
      if (value.length !== length) throw new XdrError(`opaque of ${value.length} bytes, ${length} wanted`)
      writer.opaque(value)
    },
  }
}

/** At most `limit` bytes. */
export function variableOpaque(limit: number): Codec<Uint8Array> {
  return {
    decode: (reader) => {
      const length = reader.unsigned()
      if (length > limit) throw new XdrError(`opaque of ${length} bytes, at most ${limit} allowed`)
      return Uint8Array.from(reader.opaque(length))
    },
    encode: (writer, value) => {
      if (value.length > limit) throw new XdrError(`opaque of ${value.length} bytes, at most ${limit} allowed`)
      writer.unsigned(value.length)
      writer.opaque(value)
    },
  }
}

export function optional<T>(codec: Codec<T>): Codec<T | null> {
  return {
    decode: (reader) => {
      const present = reader.unsigned()
      if (present > 1) throw new XdrError(`not a boolean: ${present}`)
      return present === 1 ? codec.decode(reader) : null
    },
    encode: (writer, value) => {
      writer.unsigned(value === null ? 0 : 1)
      if (value !== null) codec.encode(writer, value)
    },
  }
}

export function variableArray<T>(codec: Codec<T>, limit: number): Codec<readonly T[]> {
  return {
    decode: (reader) => {
      const length = reader.unsigned()
      // every element takes at least four bytes
      if (length > limit || length * 4 > reader.left) throw new XdrError(`array of ${length}, at most ${limit} allowed`)
      return Array.from({ length }, () => codec.decode(reader))
    },
    encode: (writer, value) => {
      if (value.length > limit) throw new XdrError(`array of ${value.length}, at most ${limit} allowed`)
      writer.unsigned(value.length)
      for (const element of value) codec.encode(writer, element)
    },
  }
}

export function struct<T extends object>(fields: { readonly [K in keyof T]: Codec<T[K]> }): Codec<T> {
  // keys of a literal in the order of the definition; the mapped type says that they are T's
  const names = Object.keys(fields) as (keyof T)[]
  return {
    decode: (reader) => {
      const value: Partial<T> = {}
      for (const name of names) value[name] = fields[name].decode(reader)
      return value as T
    },
    encode: (writer, value) => {
      for (const name of names) fields[name].encode(writer, value[name])
    },
  }
}
