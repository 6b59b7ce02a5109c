import { exec, start, type ExecOptions, type ExecResult, type RunningProcess, type StartOptions } from '@hyperward/os'

/** Where a lab's program runs: joined to the lab's cgroup first, then (with nsenter) into namespaces. */
export interface Place {
  readonly cgroup: string
  /** Arguments of nsenter that name the namespaces; empty = stay outside. */
  readonly enter: readonly string[]
}

// positional arguments only, nothing is ever put into the text of the script: $1 is the cgroup.procs file, the rest the program
const joinScript = 'echo $$ > "$1" || exit 125; shift; exec "$@"'

export function execIn(
  place: Place,
  file: string,
  args: readonly string[],
  options: ExecOptions = {},
): Promise<ExecResult> {
  const { cwd, ...rest } = options
  const [command, ...commandArgs] = toCommand(place, file, args, cwd)
  return exec(command, commandArgs, rest)
}

export function startIn(
  place: Place,
  file: string,
  args: readonly string[],
  options: StartOptions = {},
): Promise<RunningProcess> {
  const { cwd, ...rest } = options
  const [command, ...commandArgs] = toCommand(place, file, args, cwd)
  return start(command, commandArgs, rest)
}

function toCommand(
  place: Place,
  file: string,
  args: readonly string[],
  cwd: string | undefined,
): [string, ...string[]] {
  // the directory is set inside (by env(1)): outside, the path may mean something else
  const inside = cwd === undefined ? [file, ...args] : ['env', '-C', cwd, file, ...args]
  const entered = place.enter.length === 0 ? inside : ['nsenter', ...place.enter, '--', ...inside]
  return ['sh', '-c', joinScript, 'sh', `${place.cgroup}/cgroup.procs`, ...entered]
}
