import { spawn } from 'node:child_process'
import { closeSync, mkdtempSync, existsSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

import { OperationError } from '@hyperward/model'

import { toSpawnCommand, type SpawnOptions } from './spawn-command.ts'

export interface ExecOptions extends SpawnOptions {
  /** Given on stdin; without it stdin is empty. */
  readonly input?: string | Uint8Array
  /** The child and its process group are killed after this; default 30,000. */
  readonly timeoutMs?: number
  /** Each of stdout and stderr; the child is killed beyond it; default 64 MiB. */
  readonly maxOutputBytes?: number
}

export interface ExecResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/**
 * Runs a program to its end and tells its exit code and output; a code other than 0 is an answer, not a failure.
 * Fails with `os.exec-failed` (not started, killed by a signal, too much output) or `os.exec-timeout`.
 */
export async function exec(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const command = toSpawnCommand(file, args, options)
  const timeoutMs = options.timeoutMs ?? 30_000
  const maxOutputBytes = options.maxOutputBytes ?? 64 * 1024 * 1024
  const stdin = options.input === undefined ? null : openInput(options.input)
  try {
    return await new Promise<ExecResult>((resolve, reject) => {
      // its own process group, so that a timeout also ends what the child started
      const child = spawn(command.file, command.args, {
        env: command.env,
        cwd: command.cwd,
        detached: true,
        stdio: [stdin ?? 'ignore', 'pipe', 'pipe'],
      })
      let failure: OperationError | null = null
      const abort = (error: OperationError): void => {
        failure ??= error
        killGroup(child.pid)
      }
      const timer = setTimeout(() => {
        const message = `${file} did not finish within ${timeoutMs} ms and was killed`
        abort(new OperationError('os.exec-timeout', message, { file, timeoutMs }))
      }, timeoutMs)
      const collect = (stream: NodeJS.ReadableStream | null): Buffer[] => {
        const chunks: Buffer[] = []
        let size = 0
        stream?.on('data', (chunk: Buffer) => {
          size += chunk.length
          if (size > maxOutputBytes) {
            const message = `${file} wrote more than ${maxOutputBytes} bytes and was killed`
            abort(new OperationError('os.exec-failed', message, { file, maxOutputBytes }))
          } else chunks.push(chunk)
        })
        return chunks
      }
      const stdout = collect(child.stdout)
      const stderr = collect(child.stderr)
      child.on('error', (cause) => {
        clearTimeout(timer)
        reject(notStarted(file, cause))
      })
      child.on('close', (code, signal) => {
        clearTimeout(timer)
        if (failure !== null) reject(failure)
        else if (code === null) {
          reject(new OperationError('os.exec-failed', `${file} was killed by ${signal}`, { file, signal }))
        } else resolve({ code, stdout: toText(stdout), stderr: toText(stderr) })
      })
    })
  } catch (error) {
    // spawn itself throws on arguments it cannot pass on, such as a NUL byte
    throw error instanceof OperationError ? error : notStarted(file, error)
  } finally {
    if (stdin !== null) closeSync(stdin)
  }
}

/** Like {@link exec}, for programs whose every exit code but 0 is a failure: `os.exec-failed` with the last line of stderr. */
export async function execOk(file: string, args: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
  const result = await exec(file, args, options)
  if (result.code === 0) return result
  const said = result.stderr.trim() || result.stdout.trim()
  throw new OperationError('os.exec-failed', `${file} ${args[0] ?? ''} ended with code ${result.code}: ${said}`, {
    file,
    exitCode: result.code,
    stderr: result.stderr.slice(-2000),
  })
}

export function notStarted(file: string, cause: unknown): OperationError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new OperationError('os.exec-failed', `${file} could not be started: ${reason}`, { file }, cause)
}

/**
 * Input goes through an unlinked file and not a pipe: Node's pipes are socket pairs, which programs that open /dev/stdin
 * (`nft -f -`) cannot open. In memory (/dev/shm) where there is one, so that a secret given as input never reaches a disk.
 */
function openInput(input: string | Uint8Array): number {
  const bytes = typeof input === 'string' ? Buffer.from(input) : input
  const directory = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'hw-input-'))
  let fd: number | null = null
  try {
    fd = openSync(join(directory, 'stdin'), 'wx+', 0o600)
    // positional writes leave the offset, which the child shares, at 0
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, at)
    return fd
  } catch (cause) {
    if (fd !== null) closeSync(fd)
    throw new OperationError('os.exec-failed', 'the input of a program could not be stored', { directory }, cause)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // ESRCH: it ended by itself in this moment, which is what was wanted
  }
}

function toText(chunks: readonly Buffer[]): string {
  return Buffer.concat(chunks).toString('utf8')
}
