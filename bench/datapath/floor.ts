/** What the method itself costs: the part of every figure that no rule set can change. */
import { execOk } from '@hyperward/os'

import { senderEndpoint } from './endpoints.ts'
import { createLab, removeLab } from './lab.ts'
import { closeLab, median, openLab } from './measure.ts'
import type { Sender, Slice } from './sender.ts'

export interface Floor {
  /** Sender, socket and veth, up to the first place on the host where a program could see the packet. */
  readonly toFirstHookNs: number
  /** The sender's own part outside the kernel. */
  readonly userNs: number
}

/** Below this the kernel does not charge softirq work to the thread that caused it, and every figure would be wrong. */
const leastCpuOverWall = 0.5

/** Throws when this machine cannot be measured by thread CPU time. */
export async function measureFloor(sender: Sender): Promise<Floor> {
  const lab = await createLab('floor', false)
  try {
    const input = `table netdev floor {
  chain arrival {
    type filter hook ingress device "${senderEndpoint.device}" priority 0; policy drop;
  }
}
`
    await openLab(sender, 'base', lab)
    const whole = await sendTurns(sender)
    await execOk('nft', ['-f', '-'], { netns: lab.hostNetns, input })
    const dropped = await sendTurns(sender)
    const idle = await sender.command({ kind: 'call', socket: 'base-out', calls: 2000 })
    const cpuOverWall = Math.max(...whole.map((slice) => slice.cpuNs / slice.wallNs))
    if (cpuOverWall < leastCpuOverWall) {
      throw new Error(
        `the sending thread was charged only ${(cpuOverWall * 100).toFixed(0)} % of the time it needed: ` +
          'the machine is too busy, or its kernel keeps softirq time apart (CONFIG_IRQ_TIME_ACCOUNTING)',
      )
    }
    return { toFirstHookNs: perPacket(dropped), userNs: perPacket(idle) }
  } finally {
    await closeLab(sender, 'base')
    await removeLab(lab)
  }
}

/** Also warms the sender's own code. */
function sendTurns(sender: Sender): Promise<readonly Slice[]> {
  const turn = { socket: 'base-out', flow: 'established', from: 0, count: 8192 }
  return sender.command({ kind: 'send', turns: Array.from({ length: 15 }, () => turn) })
}

function perPacket(slices: readonly Slice[]): number {
  return median(slices.map((slice) => slice.cpuNs / slice.sent))
}
