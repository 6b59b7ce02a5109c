/** For tests: frames as they are, sent and received on an interface (packet(7)). */
import koffi from 'koffi'

import { inNetns } from './netns.ts'

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const void *address, uint32_t bytes)')
const send = libc.func('long send(int fd, const void *frame, size_t bytes, int flags)')
const receive = libc.func('long recv(int fd, _Out_ uint8_t *frame, size_t bytes, int flags)')
const close = libc.func('int close(int fd)')
const nameToIndex = libc.func('unsigned int if_nametoindex(const char *name)')
const dontWait = 0x40

export interface RawSocket {
  send(frame: Uint8Array): void
  /** All frames that came in (not those sent from here) since the last call. */
  receiveAll(): Buffer[]
  close(): void
}

export function ifindexOf(netns: string, device: string): number {
  const index: unknown = inNetns(netns, () => nameToIndex(device))
  if (typeof index !== 'number' || index === 0) throw new Error(`no interface ${device} in ${netns}`)
  return index
}

export function openRawSocket(netns: string, device: string): RawSocket {
  return inNetns(netns, () => {
    const fd: unknown = socket(17, 3, 0x0300)
    if (typeof fd !== 'number' || fd < 0) throw new Error(`no packet socket (errno ${koffi.errno()})`)
    const address = Buffer.alloc(20)
    address.writeUInt16LE(17, 0)
    address.writeUInt16BE(3, 2)
    address.writeInt32LE(ifindexOf(netns, device), 4)
    if (bind(fd, address, address.length) !== 0) throw new Error(`bind failed (errno ${koffi.errno()})`)
    const buffer = Buffer.alloc(70_000)
    return {
      send(frame) {
        if (send(fd, frame, frame.length, 0) !== frame.length) throw new Error(`send failed (errno ${koffi.errno()})`)
      },
      receiveAll() {
        const frames: Buffer[] = []
        for (;;) {
          const bytes: unknown = receive(fd, buffer, buffer.length, dontWait)
          if (typeof bytes !== 'number' || bytes < 0) return frames
          frames.push(Buffer.from(buffer.subarray(0, bytes)))
        }
      },
      close: () => {
        close(fd)
      },
    }
  })
}
