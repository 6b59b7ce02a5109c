/**
 * A pseudo-host: a network, mount and uts namespace with its own libvirtd, /run, /var/{lib,log,cache}, /etc/libvirt, /dev (without kvm),
 * cgroup subtree, sysfs and bpffs, on this machine's root file system. Programs run inside see one hypervisor of their own.
 */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { exec, type ExecOptions, type ExecResult, type RunningProcess, type StartOptions } from '@hyperward/os'

import { defaultCacheDir } from './cache-dir.ts'
import { createCgroups, readCgroupHierarchies, toTrackingDirectory, type CgroupHierarchy } from './cgroups.ts'
import type { Lab } from './lab.ts'
import { execIn, startIn, type Place } from './place.ts'
import { waitFor } from './wait-for.ts'

export interface PseudoHostOptions {
  /** Host name inside, and part of the names outside. */
  readonly name: string
  /** libvirt's host UUID. */
  readonly uuid: string
  /** The namespace the host lives in, already made (`lab.addNetns`). */
  readonly netns: string
  /** Where libvirt's probed capabilities are kept between runs (a cold start takes seconds); default {@link defaultCacheDir}. */
  readonly cacheDir?: string
}

export interface PseudoHost {
  readonly name: string
  readonly netns: string
  /** The host's files, seen from outside: `run`, `lib` (/var/lib), `log` (/var/log), `cache`. */
  readonly dir: string
  /** libvirtd's socket, reachable from outside. */
  readonly libvirtSocket: string
  exec(file: string, args: readonly string[], options?: ExecOptions): Promise<ExecResult>
  start(file: string, args: readonly string[], options?: StartOptions): Promise<RunningProcess>
  virsh(...args: readonly string[]): Promise<ExecResult>
  /** Current libvirtd; changes when it is started again. */
  libvirtd(): RunningProcess
  startLibvirtd(): Promise<void>
  /** SIGTERM; domains run on. */
  stopLibvirtd(): Promise<void>
  /** Ends every process of the host, VMs too, at once (like a power cut). */
  kill(): Promise<void>
}

export async function createPseudoHost(lab: Lab, options: PseudoHostOptions): Promise<PseudoHost> {
  const { name, netns } = options
  if (!existsSync('/etc/libvirt/libvirtd.conf')) throw new Error('the lab needs libvirt (libvirt-daemon-system)')
  const dir = join(lab.dir, name)
  const cacheDir = options.cacheDir ?? defaultCacheDir
  const cgroup = `${lab.prefix}-${name}`
  const hierarchies = await readCgroupHierarchies()
  await lab.make({ kind: 'cgroup', name: cgroup }, async () => {
    writeHostFiles(dir, name, options.uuid, cacheDir)
    await createCgroups(hierarchies, cgroup)
  })
  const tracking = toTrackingDirectory(hierarchies, cgroup)
  const outside: Place = { cgroup: tracking, enter: [`--net=/run/netns/${netns}`] }
  // holds the namespaces; everything else joins them through its pid
  const holder = await startIn(outside, 'unshare', [
    '--mount',
    '--uts',
    '--propagation',
    'private',
    'sleep',
    'infinity',
  ])
  await waitFor(async () => (await exec('readlink', [`/proc/${holder.pid}/exe`])).stdout.includes('sleep'), {
    intervalMs: 5,
    what: `the namespaces of ${name}`,
  })
  const inside: Place = { cgroup: tracking, enter: ['--target', String(holder.pid), '--mount', '--net', '--uts'] }
  for (const [file, ...args] of toMountCommands(dir, name, hierarchies, cgroup)) {
    const result = await execIn(inside, file, args)
    if (result.code !== 0) throw new Error(`${name}: ${file} ${args.join(' ')}: ${result.stderr}`)
  }

  const libvirtSocket = join(dir, 'run/libvirt/libvirt-sock')
  const runExec: PseudoHost['exec'] = (file, args, execOptions) =>
    execIn(inside, file, args, { cwd: '/', ...execOptions })
  const virsh = (...args: readonly string[]): Promise<ExecResult> =>
    exec('virsh', ['-q', '-c', `qemu+unix:///system?socket=${libvirtSocket}`, ...args])
  let libvirtd: RunningProcess | null = null
  const startLibvirtd = async (): Promise<void> => {
    libvirtd = await startIn(inside, 'libvirtd', [], { cwd: '/', logFile: join(dir, 'libvirtd.out') })
    await waitFor(async () => (await virsh('version')).code === 0, { timeoutMs: 30_000, what: `libvirtd of ${name}` })
  }
  const host: PseudoHost = {
    name,
    netns,
    dir,
    libvirtSocket,
    exec: runExec,
    start: (file, args, startOptions) => startIn(inside, file, args, { cwd: '/', ...startOptions }),
    virsh,
    libvirtd: () => {
      if (libvirtd === null) throw new Error(`libvirtd of ${name} was never started`)
      return libvirtd
    },
    startLibvirtd,
    stopLibvirtd: async () => {
      await libvirtd?.stop()
    },
    kill: async () => {
      await waitFor(
        () => {
          const members = readFileSync(join(tracking, 'cgroup.procs'), 'utf8').split('\n').filter(Boolean).map(Number)
          for (const pid of members) process.kill(pid, 'SIGKILL')
          return members.length === 0
        },
        { intervalMs: 20, what: `the end of ${name}` },
      )
    },
  }
  await startLibvirtd()
  saveCapabilityCache(dir, cacheDir)
  return host
}

function writeHostFiles(dir: string, name: string, uuid: string, cacheDir: string): void {
  for (const part of [
    'run/libvirt',
    'run/hyperward',
    'run/lock',
    'lib/libvirt',
    'lib/hyperward',
    'log/libvirt/qemu',
    'log/hyperward',
    'cache/libvirt',
    'etc',
    'dev',
    'cgroup',
    'vm',
  ]) {
    mkdirSync(join(dir, part), { recursive: true, mode: 0o755 })
  }
  writeFileSync(
    join(dir, 'etc/libvirtd.conf'),
    [
      `host_uuid = "${uuid}"`,
      'auth_unix_ro = "none"',
      'auth_unix_rw = "none"',
      'unix_sock_rw_perms = "0700"',
      'log_outputs = "3:file:/var/log/libvirt/libvirtd.log"',
      '',
    ].join('\n'),
  )
  // libvirt resolves its own host name at every start of a VM: without an entry it would wait for a name server
  writeFileSync(join(dir, 'hosts'), `127.0.0.1 localhost ${name}\n::1 localhost\n`)
  // QEMU runs as root with its capabilities: image and sockets may lie under directories that only their owner may enter
  writeFileSync(
    join(dir, 'etc/qemu.conf'),
    [
      'user = "root"',
      'group = "root"',
      'dynamic_ownership = 0',
      'clear_emulator_capabilities = 0',
      'security_driver = "none"',
      'stdio_handler = "file"',
      '',
    ].join('\n'),
  )
  const cached = join(cacheDir, 'libvirt-capabilities')
  if (existsSync(cached)) cpSync(cached, join(dir, 'cache/libvirt'), { recursive: true, preserveTimestamps: true })
}

function saveCapabilityCache(dir: string, cacheDir: string): void {
  const from = join(dir, 'cache/libvirt/qemu/capabilities')
  const to = join(cacheDir, 'libvirt-capabilities/qemu/capabilities')
  if (!existsSync(from)) return
  mkdirSync(to, { recursive: true })
  // libvirt rewrites a file only after it probed again (another QEMU, another libvirt)
  for (const name of readdirSync(from)) cpSync(join(from, name), join(to, name), { preserveTimestamps: true })
}

function toMountCommands(
  dir: string,
  name: string,
  hierarchies: readonly CgroupHierarchy[],
  cgroup: string,
): readonly [string, ...string[]][] {
  const bind = (from: string, to: string): [string, ...string[]] => ['mount', '--bind', from, to]
  const saved = join(dir, 'cgroup')
  const dev = join(dir, 'dev')
  // v2 mounted as /sys/fs/cgroup itself has no subdirectories to hang v1 mounts on
  const unifiedOnly = hierarchies.some((one) => one.mount === '/sys/fs/cgroup')
  const relative = (one: CgroupHierarchy): string => one.mount.slice('/sys/fs/cgroup'.length)
  return [
    ['hostname', name],
    // a sysfs of this network namespace, with this host's part of each cgroup hierarchy in its place
    ['mount', '--rbind', '/sys/fs/cgroup', saved],
    ['mount', '-t', 'sysfs', 'sysfs', '/sys'],
    ['mount', '-t', 'bpf', '-o', 'mode=700', 'bpf', '/sys/fs/bpf'],
    ...(unifiedOnly
      ? [bind(join(saved, cgroup), '/sys/fs/cgroup')]
      : [
          ['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', '/sys/fs/cgroup'] satisfies [string, ...string[]],
          ...hierarchies.flatMap((one): [string, ...string[]][] => [
            ['mkdir', '-p', one.mount],
            bind(`${saved}${relative(one)}/${cgroup}`, one.mount),
          ]),
        ]),
    ['umount', '--recursive', '--lazy', saved],
    bind(join(dir, 'etc'), '/etc/libvirt'),
    bind(join(dir, 'hosts'), '/etc/hosts'),
    bind(join(dir, 'lib'), '/var/lib'),
    bind(join(dir, 'log'), '/var/log'),
    bind(join(dir, 'cache'), '/var/cache'),
    // without /dev/kvm: libvirt would probe it again on every call when its mode changes, and guests are emulated anyway
    ['mount', '-t', 'tmpfs', '-o', 'mode=755,size=1m', 'tmpfs', dev],
    ['cp', '-a', ...['null', 'zero', 'full', 'random', 'urandom', 'tty', 'ptmx'].map((node) => `/dev/${node}`), dev],
    ['mkdir', '-p', `${dev}/net`, `${dev}/pts`, `${dev}/shm`],
    ['cp', '-a', '/dev/net/tun', `${dev}/net/`],
    ['ln', '-s', '/proc/self/fd', `${dev}/fd`],
    ['mount', '--rbind', '/dev/pts', `${dev}/pts`],
    ['mount', '-t', 'tmpfs', '-o', 'mode=1777', 'tmpfs', `${dev}/shm`],
    ['umount', '--recursive', '--lazy', '/dev'],
    ['mount', '--move', dev, '/dev'],
    // last: `ip netns` mounts and the like of the machine disappear here
    bind(join(dir, 'run'), '/run'),
  ]
}
