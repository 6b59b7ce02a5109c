/** For tests: this thread in another network namespace, so that a driver made here acts there. Child processes follow. */
import { closeSync, openSync } from 'node:fs'

import koffi from 'koffi'

const libc = koffi.load('libc.so.6')
const setns = libc.func('int setns(int fd, int type)')
const cloneNewnet = 0x40000000

/** A name under /run/netns. Returns the way back. */
export function enterNetns(name: string): () => void {
  const before = openSync('/proc/thread-self/ns/net', 'r')
  enter(`/run/netns/${name}`)
  return () => {
    enterFd(before)
    closeSync(before)
  }
}

export function inNetns<T>(name: string, act: () => T): T {
  const leave = enterNetns(name)
  try {
    return act()
  } finally {
    leave()
  }
}

function enter(path: string): void {
  const fd = openSync(path, 'r')
  try {
    enterFd(fd)
  } finally {
    closeSync(fd)
  }
}

function enterFd(fd: number): void {
  if (setns(fd, cloneNewnet) !== 0) throw new Error(`setns failed (errno ${koffi.errno()})`)
}
