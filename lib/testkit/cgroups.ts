/**
 * The lab's cgroups. Everything the lab starts is put into a cgroup of the lab before it runs, so the kernel knows what belongs to it,
 * whatever forks, daemonizes or is re-parented: removal goes by membership, never by a process's name.
 */
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import { waitFor } from './wait-for.ts'

export interface CgroupHierarchy {
  /** Mount point, e.g. /sys/fs/cgroup/pids (v1) or /sys/fs/cgroup (v2). */
  readonly mount: string
  readonly version: 1 | 2
}

/** All hierarchies of this machine; v1 and v2 may be mixed. */
export async function readCgroupHierarchies(): Promise<readonly CgroupHierarchy[]> {
  const mounts = await readFile('/proc/self/mounts', 'utf8')
  const found = new Map<string, CgroupHierarchy>()
  for (const line of mounts.split('\n')) {
    const [, mount, type] = line.split(' ')
    if (mount === undefined || !(mount === '/sys/fs/cgroup' || mount.startsWith('/sys/fs/cgroup/'))) continue
    if (type === 'cgroup') found.set(mount, { mount, version: 1 })
    if (type === 'cgroup2') found.set(mount, { mount, version: 2 })
  }
  return [...found.values()]
}

/** The directory whose members count as the lab's processes. v2 lets only leaves have members, hence `lab` under the group. */
export function toTrackingDirectory(hierarchies: readonly CgroupHierarchy[], name: string): string {
  const pids = hierarchies.find((one) => one.version === 1 && one.mount.endsWith('/pids'))
  if (pids !== undefined) return join(pids.mount, name)
  const unified = hierarchies.find((one) => one.version === 2)
  if (unified === undefined)
    throw new Error('no cgroup hierarchy under /sys/fs/cgroup: the lab cannot track its processes')
  return join(unified.mount, name, 'lab')
}

/** Makes `name` in every hierarchy. */
export async function createCgroups(hierarchies: readonly CgroupHierarchy[], name: string): Promise<void> {
  for (const { mount, version } of hierarchies) {
    await mkdir(join(mount, name), { recursive: true })
    if (version === 1 && mount.endsWith('/cpuset')) {
      // a new cpuset is empty, and nothing can join it until it has processors and memory nodes
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        await writeFile(join(mount, name, file), await readFile(join(mount, file), 'utf8'))
      }
    }
  }
  await mkdir(toTrackingDirectory(hierarchies, name), { recursive: true })
}

/** Kills the members of `name` and its descendants in every hierarchy, then removes the directories. Absent ones are fine. */
export async function removeCgroups(hierarchies: readonly CgroupHierarchy[], name: string): Promise<void> {
  for (const { mount } of hierarchies) {
    const top = join(mount, name)
    await waitFor(
      async () => {
        const directories = await listTree(top)
        const members = (await Promise.all(directories.map(readMembers))).flat()
        for (const pid of members) kill(pid)
        return members.length === 0
      },
      { what: `the end of all processes in ${top}`, intervalMs: 20 },
    )
    for (const directory of (await listTree(top)).reverse()) {
      await waitFor(() => rmdir(directory).then(() => true), { what: `the removal of ${directory}`, timeoutMs: 5000 })
    }
  }
}

/** The directory and all below it, parents first. */
async function listTree(top: string): Promise<string[]> {
  let entries
  try {
    entries = await readdir(top, { withFileTypes: true })
  } catch {
    // cgroupfs has no other failure here than "not there"
    return []
  }
  const below = await Promise.all(
    entries.filter((entry) => entry.isDirectory()).map((entry) => listTree(join(top, entry.name))),
  )
  return [top, ...below.flat()]
}

async function readMembers(directory: string): Promise<number[]> {
  const text = await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => '')
  return text
    .split('\n')
    .filter((line) => line !== '' && line !== '0')
    .map(Number)
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // ended by itself
  }
}
