import type { EngineOptions } from '../engine-options.ts'

/** Its name alone where there is nothing to explain: what is told of the usual case is read by nobody. */
export function toDriverText({ name, reason }: EngineOptions['driver']): string {
  return name === 'ebpf' ? name : `${name}: ${reason}`.slice(0, 4000)
}
