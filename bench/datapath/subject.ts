/** What is measured against the plain bridge: a peer's rule shape, or our own program. */
import { execOk } from '@hyperward/os'

import type { BenchEndpoint } from './endpoints.ts'
import type { Lab } from './lab.ts'
import type { PeerShape } from './shapes/peer-shape.ts'

export interface Subject {
  readonly name: string
  /** Whether bridged packets must pass iptables on the host. */
  readonly bridgeNetfilter: boolean
  /** Puts the rules for these endpoints in force on a fresh lab; the returned function ends what was started for them. */
  load(lab: Lab, endpoints: readonly BenchEndpoint[]): Promise<() => Promise<void>>
}

export function toPeerSubject(shape: PeerShape): Subject {
  return {
    name: shape.name,
    bridgeNetfilter: true,
    load: async (lab, endpoints) => {
      for (const step of shape.render(endpoints)) {
        await execOk(step.file, step.args, { netns: lab.hostNetns, input: step.input, timeoutMs: 120_000 })
      }
      // nothing runs: the rules go with the lab
      return async () => {}
    },
  }
}
