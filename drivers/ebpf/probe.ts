/** Whether the kernel can run the programs, told by what it lacks, before anything is loaded or attached. */
import { known, unknown, type Observed } from '@hyperward/model'

import { loadLibbpf } from './libbpf.ts'

const schedCls = 3
const needs = {
  programs: { 'tc programs (BPF_PROG_TYPE_SCHED_CLS)': schedCls, 'syscall programs (Linux 5.14)': 31 },
  maps: {
    'hash maps': 1,
    'array maps': 2,
    'per-CPU array maps': 6,
    'LRU hash maps': 9,
    'longest prefix maps': 11,
    'arrays of maps': 12,
    'ring buffers (Linux 5.8)': 27,
  },
  helpers: {
    bpf_redirect: 23,
    bpf_skb_change_tail: 38,
    'bpf_ringbuf_reserve (Linux 5.8)': 131,
    'bpf_jiffies64 (Linux 5.6)': 118,
    'bpf_for_each_map_elem (Linux 5.13)': 164,
  },
} as const

/** What is missing is the reason; loading may still be refused for reasons a probe does not see, and says so itself. */
export function probeKernel(): Observed<{ readonly possibleCpus: number }> {
  const bpf = loadLibbpf()
  if (!bpf.known) return bpf
  const missing = [
    ...Object.entries(needs.programs).filter(([, type]) => !bpf.value.hasProgramType(type)),
    ...Object.entries(needs.maps).filter(([, type]) => !bpf.value.hasMapType(type)),
    ...Object.entries(needs.helpers).filter(([, helper]) => !bpf.value.hasHelper(schedCls, helper)),
  ].map(([name]) => name)
  if (missing.length > 0) return unknown(`the kernel lacks ${missing.join(', ')}`)
  return known({ possibleCpus: bpf.value.possibleCpus })
}
