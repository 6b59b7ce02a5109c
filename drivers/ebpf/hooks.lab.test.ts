import { expect, test } from 'vitest'

import { createHooks } from './hooks.ts'
import { loadLibbpf } from './libbpf.ts'
import type { Loaded } from './load.ts'

test('a list of hooked taps that cannot be read is unknown, never empty', () => {
  const bpf = loadLibbpf()
  if (!bpf.known) throw new Error(bpf.reason)
  // as: of what is loaded only the list is asked for, by a descriptor that no call accepts
  const hooks = createHooks(bpf.value, { maps: { hooks: -1 } } as Loaded, { ingress: -1, egress: -1 })
  expect(hooks.known()).toEqual({ known: false, reason: 'the list of hooked taps cannot be read (errno 9)' })
})
