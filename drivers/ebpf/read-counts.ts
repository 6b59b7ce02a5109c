/** Counters of all CPUs, added up. */
import { known, unknown, type Observed, type RuleCounter } from '@hyperward/model'

import type { Kernel } from './apply.ts'
import type { EndpointDrops } from './driver.ts'
import { overflowRef, reasonName } from './events.ts'
import { layout, renderKey } from './render.ts'

/** Rules that ever had a counter here; those that a plan no longer holds stay. */
export function readRuleCounters(kernel: Kernel): Observed<readonly RuleCounter[]> {
  const read = createReader(kernel, kernel.loaded.maps.counters, layout.counter.value)
  const counters: RuleCounter[] = []
  for (const [rule, index] of [[overflowRef, 0] as const, ...kernel.names.rules.entries()]) {
    const fields = read(index)
    if (fields === null) return unknown(`counter ${index} cannot be read`)
    const [packets = 0, bytes = 0, hits = 0] = fields
    if (index !== 0 || packets !== 0) counters.push({ rule, packets, bytes, hits })
  }
  return known(counters)
}

export function readDrops(kernel: Kernel): Observed<readonly EndpointDrops[]> {
  const read = createReader(kernel, kernel.loaded.maps.drops, layout.drops.value)
  const drops: EndpointDrops[] = []
  for (const [endpoint, index] of kernel.names.endpoints.entries()) {
    const fields = read(index)
    if (fields === null) return unknown(`drops of ${endpoint} cannot be read`)
    for (const [number, packets] of fields.entries()) {
      const reason = reasonName(number)
      if (reason !== null && packets > 0) drops.push({ endpoint, reason, packets })
    }
  }
  return known(drops)
}

/** Fields of one entry, each the sum over the CPUs. */
function createReader({ bpf }: Kernel, fd: number, valueBytes: number): (index: number) => number[] | null {
  const bytes = Buffer.alloc(valueBytes * bpf.possibleCpus)
  return (index) => {
    if (bpf.lookup(fd, renderKey(index), bytes) < 0) return null
    return Array.from({ length: valueBytes / 8 }, (_, field) => {
      let sum = 0n
      for (let cpu = 0; cpu < bpf.possibleCpus; cpu += 1) sum += bytes.readBigUInt64LE(cpu * valueBytes + field * 8)
      return Number(sum)
    })
  }
}
