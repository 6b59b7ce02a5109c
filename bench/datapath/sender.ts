/** The main thread's side of the sending thread (sender-worker.ts): one command at a time. */
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'

import type { FlowSpec } from './frames.ts'

export interface Turn {
  readonly socket: string
  readonly flow: string
  /** Index of the first frame; indexes wrap round at the flow's end. */
  readonly from: number
  readonly count: number
}

export interface Slice {
  readonly sent: number
  readonly cpuNs: number
  readonly wallNs: number
}

export type SenderCommand =
  | { readonly kind: 'open'; readonly socket: string; readonly netns: string; readonly device: string }
  | { readonly kind: 'close'; readonly socket: string }
  | {
      readonly kind: 'prepare'
      readonly flow: string
      readonly spec: Omit<FlowSpec, 'sourcePorts'>
      /** Source ports `firstSourcePort + index * step`: step 0 makes one flow, step 1 a flow per frame. */
      readonly firstSourcePort: number
      readonly step: 0 | 1
      readonly frames: number
    }
  | { readonly kind: 'send'; readonly turns: readonly Turn[] }
  /** Calls the kernel with nothing to send: what the sender costs by itself, counted as full calls. */
  | { readonly kind: 'call'; readonly socket: string; readonly calls: number }

export type SenderAnswer =
  | { readonly ok: true; readonly slices: readonly Slice[] }
  | { readonly ok: false; readonly message: string }

export interface Sender {
  /** Answers a `send` with one slice per turn, in order; a `call` with one; everything else with none. */
  command(command: SenderCommand): Promise<readonly Slice[]>
  close(): Promise<void>
}

export async function startSender(cpu: number): Promise<Sender> {
  const worker = new Worker(join(import.meta.dirname, 'sender-worker.ts'), { workerData: { cpu } })
  await new Promise<void>((resolve, reject) => {
    worker.once('online', resolve)
    worker.once('error', reject)
  })
  return {
    command: (command) =>
      new Promise((resolve, reject) => {
        const settle = (): void => {
          worker.off('message', onMessage).off('error', onError).off('exit', onExit)
        }
        const onMessage = (answer: SenderAnswer): void => {
          settle()
          if (answer.ok) resolve(answer.slices)
          else reject(new Error(`sender, ${command.kind}: ${answer.message}`))
        }
        const onError = (error: unknown): void => {
          settle()
          reject(error instanceof Error ? error : new Error(String(error)))
        }
        const onExit = (): void => onError(new Error('the sending thread ended'))
        worker.on('message', onMessage).on('error', onError).on('exit', onExit)
        // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
        worker.postMessage(command)
      }),
    close: async () => {
      await worker.terminate()
    },
  }
}
