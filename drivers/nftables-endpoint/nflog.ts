/** The netlink group that our rules log to (nfnetlink_log), read without blocking: one socket, opened in the network namespace of this thread. */
import { known, unknown, type Observed } from '@hyperward/model'
import koffi from 'koffi'

import { logGroup } from './names.ts'

const libc = koffi.load('libc.so.6')
const socket = libc.func('int socket(int domain, int type, int protocol)')
const bind = libc.func('int bind(int fd, const void *address, uint32_t bytes)')
const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t bytes)')
const send = libc.func('long send(int fd, const void *message, size_t bytes, int flags)')
const receive = libc.func('long recv(int fd, _Out_ uint8_t *message, size_t bytes, int flags)')
const close = libc.func('int close(int fd)')

const netlink = { family: 16, netfilter: 12, raw: 3, closeOnExec: 0o2000000 }
const solSocket = 1
const receiveBufferForce = 33
const noBuffersFor = 105
const again = 11
const dontWait = 0x40
/** linux/netfilter/nfnetlink_log.h */
const configMessage = (4 << 8) | 1
const packetMessage = 4 << 8
const attribute = { command: 1, mode: 2, bind: 1, copyPacket: 2 }
const request = 1
const acknowledge = 4

export interface NflogReader {
  /** Each message since the last call, one netlink payload each. Told ones that were lost count as read by nobody. */
  read(onPacket: (message: Buffer) => void): Observed<number>
  close(): void
}

export function openNflog(): Observed<NflogReader> {
  const fd: unknown = socket(netlink.family, netlink.raw | netlink.closeOnExec, netlink.netfilter)
  if (typeof fd !== 'number' || fd < 0) return unknown(`no netlink socket (errno ${koffi.errno()})`)
  const address = Buffer.alloc(12)
  address.writeUInt16LE(netlink.family, 0)
  const megabyte = Buffer.alloc(4)
  megabyte.writeInt32LE(1 << 20)
  setsockopt(fd, solSocket, receiveBufferForce, megabyte, 4)
  const buffer = Buffer.alloc(1 << 16)
  const configure = (type: number, content: Buffer): number => {
    const message = renderConfig(type, content)
    if (send(fd, message, message.length, 0) !== message.length) return koffi.errno()
    const bytes: unknown = receive(fd, buffer, buffer.length, 0)
    if (typeof bytes !== 'number' || bytes < 20) return koffi.errno()
    return -buffer.readInt32LE(16)
  }
  const mode = Buffer.alloc(6)
  mode.writeUInt32BE(128, 0)
  mode[4] = attribute.copyPacket
  const failed =
    bind(fd, address, address.length) !== 0
      ? koffi.errno()
      : configure(attribute.command, Buffer.from([attribute.bind])) || configure(attribute.mode, mode)
  if (failed !== 0) {
    close(fd)
    return unknown(`packets that are told about cannot be read (nfnetlink_log, errno ${failed})`)
  }
  return known({
    read(onPacket) {
      let packets = 0
      for (;;) {
        const bytes: unknown = receive(fd, buffer, buffer.length, dontWait)
        if (typeof bytes !== 'number' || bytes < 0) {
          const errno = koffi.errno()
          // more came than the buffer holds: what is left is read on
          if (errno === noBuffersFor) continue
          return errno === again ? known(packets) : unknown(`what is logged cannot be read (errno ${errno})`)
        }
        for (let at = 0; at + 20 <= bytes;) {
          const length = buffer.readUInt32LE(at)
          if (length < 20 || at + length > bytes) break
          if (buffer.readUInt16LE(at + 4) === packetMessage) {
            packets += 1
            onPacket(Buffer.from(buffer.subarray(at + 16, at + length)))
          }
          at += (length + 3) & ~3
        }
      }
    },
    close: () => {
      close(fd)
    },
  })
}

function renderConfig(type: number, content: Buffer): Buffer {
  const padded = (content.length + 3) & ~3
  const message = Buffer.alloc(16 + 4 + 4 + padded)
  message.writeUInt32LE(message.length, 0)
  message.writeUInt16LE(configMessage, 4)
  message.writeUInt16LE(request | acknowledge, 6)
  message.writeUInt16BE(logGroup, 18)
  message.writeUInt16LE(4 + content.length, 20)
  message.writeUInt16LE(type, 22)
  content.copy(message, 24)
  return message
}
