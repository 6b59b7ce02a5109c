/** The few system calls of the sender that Node does not offer, by FFI; Linux on x86_64 (structure layouts: socket(7), packet(7), sendmmsg(2)). */
import { closeSync, openSync } from 'node:fs'

import koffi from 'koffi'

const libc = koffi.load('libc.so.6')
const setns = libc.func('int setns(int fd, int kind)')
const socket = libc.func('int socket(int family, int type, int protocol)')
const setsockopt = libc.func('int setsockopt(int fd, int level, int name, const void *value, uint32_t length)')
const bind = libc.func('int bind(int fd, const void *address, uint32_t length)')
const ifNameToIndex = libc.func('uint32_t if_nametoindex(const char *name)')
const schedSetaffinity = libc.func('int sched_setaffinity(int thread, size_t length, const void *mask)')
const clockGettime = libc.func('int clock_gettime(int clock, void *time)')
const close = libc.func('int close(int fd)')
const sendmmsg = libc.func('int sendmmsg(int fd, void *messages, uint32_t count, int flags)')

const cloneNewNet = 0x4000_0000
const afPacket = 17
const sockRaw = 3
const solPacket = 263
const packetQdiscBypass = 20
const etherTypeIpv4 = 0x0800
const clockThreadCpuTime = 3
/** UIO_MAXIOV: the most messages one sendmmsg takes. */
export const maxMessages = 1024
export const messageBytes = 64
export const vectorBytes = 16

/** A packet socket that sends on `device` of a network namespace, past the queueing discipline. It stays in that namespace, the calling thread does not. */
export function openPacketSocket(netns: string, device: string): number {
  const home = openSync('/proc/thread-self/ns/net', 'r')
  const target = openSync(`/run/netns/${netns}`, 'r')
  try {
    check('setns', setns(target, cloneNewNet))
    // protocol 0: it receives nothing, so it costs nothing on the receive path
    const fd = check('socket', socket(afPacket, sockRaw, 0))
    const one = Buffer.alloc(4)
    one.writeInt32LE(1)
    check('setsockopt', setsockopt(fd, solPacket, packetQdiscBypass, one, one.length))
    const address = Buffer.alloc(20)
    address.writeUInt16LE(afPacket, 0)
    address.writeUInt16BE(etherTypeIpv4, 2)
    address.writeInt32LE(check('if_nametoindex', ifNameToIndex(device) || -1), 4)
    check('bind', bind(fd, address, address.length))
    return fd
  } finally {
    check('setns', setns(home, cloneNewNet))
    closeSync(home)
    closeSync(target)
  }
}

/** Not fs.closeSync: Node warns of descriptors that it did not open. */
export function closePacketSocket(fd: number): void {
  check('close', close(fd))
}

/** Keeps the calling thread on one CPU. */
export function pinThread(cpu: number): void {
  const mask = Buffer.alloc(128)
  mask.writeUInt8(1 << (cpu % 8), Math.floor(cpu / 8))
  check('sched_setaffinity', schedSetaffinity(0, mask.length, mask))
}

const time = Buffer.alloc(16)

/** CPU time of the calling thread, in ns, what softirqs used on its back included (kernels without CONFIG_IRQ_TIME_ACCOUNTING). */
export function threadCpuNs(): number {
  check('clock_gettime', clockGettime(clockThreadCpuTime, time))
  return Number(time.readBigInt64LE(0)) * 1e9 + Number(time.readBigInt64LE(8))
}

/** Sends `count` prepared messages, at most {@link maxMessages} a call; returns how many the kernel took. */
export function sendMessages(fd: number, messages: Buffer): number {
  return check('sendmmsg', sendmmsg(fd, messages, messages.length / messageBytes, 0))
}

export function addressOf(memory: Buffer): bigint {
  return koffi.address(memory)
}

function check(what: string, result: number): number {
  if (result < 0) throw new Error(`${what} failed: errno ${koffi.errno()}`)
  return result
}
