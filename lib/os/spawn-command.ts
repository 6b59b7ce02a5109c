/** What `exec` and `start` share: where a child runs and with which environment. Never a shell. */
export interface SpawnOptions {
  /** Added to a minimal environment (PATH, HOME, LC_ALL=C.UTF-8): a parent's secrets do not leak into children. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** A network namespace to run in: a name under /run/netns, or an absolute path. */
  readonly netns?: string
}

export interface SpawnCommand {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Record<string, string>
  readonly cwd: string | undefined
}

const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export function toSpawnCommand(file: string, args: readonly string[], options: SpawnOptions): SpawnCommand {
  const env: Record<string, string> = {
    PATH: process.env['PATH'] ?? defaultPath,
    HOME: process.env['HOME'] ?? '/',
    LC_ALL: 'C.UTF-8',
    ...options.env,
  }
  if (options.netns === undefined) return { file, args, env, cwd: options.cwd }
  const path = options.netns.startsWith('/') ? options.netns : `/run/netns/${options.netns}`
  // nsenter, not `ip netns exec`: it leaves the mount namespace (and so /sys/fs/bpf and /run) as it is
  return { file: 'nsenter', args: [`--net=${path}`, '--', file, ...args], env, cwd: options.cwd }
}
