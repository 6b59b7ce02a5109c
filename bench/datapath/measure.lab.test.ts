import { cpus } from 'node:os'

import { afterAll, beforeAll, expect, test } from 'vitest'

import { makeEndpoints } from './endpoints.ts'
import { measureFloor } from './floor.ts'
import { createLab, removeLab } from './lab.ts'
import { checkEnforcement, closeLab, compare, openLab, prepareFlows } from './measure.ts'
import { startSender, type Sender } from './sender.ts'
import { ipset } from './shapes/ipset.ts'
import { neutron } from './shapes/neutron.ts'
import { nft } from './shapes/nft.ts'
import { nwfilter } from './shapes/nwfilter.ts'
import type { PeerShape } from './shapes/peer-shape.ts'
import { proxmox } from './shapes/proxmox.ts'
import { toPeerSubject } from './subject.ts'
import { claimWorkspace } from './workspace.ts'

let release: () => Promise<void>
let sender: Sender

beforeAll(async () => {
  release = await claimWorkspace()
  sender = await startSender(cpus().length - 1)
  await prepareFlows(sender)
})

afterAll(async () => {
  await sender.close()
  await release()
})

/** `edit` changes the text that is loaded, so that a shape can be spoilt. */
async function enforce(shape: PeerShape, edit: (input: string) => string = (input) => input): Promise<void> {
  const spoilt: PeerShape = {
    name: shape.name,
    render: (endpoints) => shape.render(endpoints).map((step) => ({ ...step, input: edit(step.input) })),
  }
  const lab = await createLab('subject', true)
  try {
    await toPeerSubject(spoilt).load(lab, makeEndpoints(10))
    await openLab(sender, 'subject', lab)
    await checkEnforcement(sender, 'subject', lab, true)
  } finally {
    await closeLab(sender, 'subject')
    await removeLab(lab)
  }
}

test.each([proxmox, neutron, nwfilter, ipset, nft])(
  'the shape $name loads here: what is allowed passes both ways, what is not is dropped',
  async (shape) => {
    await enforce(shape)
  },
)

test('a shape that lets a forbidden packet through is not measured', async () => {
  const open = (input: string): string => input.replace('policy drop;\n    ct state', 'policy accept;\n    ct state')
  await expect(enforce(nft, open)).rejects.toThrow('of 64 forbidden packets 64')
})

test('a shape that drops the measured flow is not measured', async () => {
  const closed = (input: string): string => input.replaceAll('udp . 9000', 'udp . 9001')
  await expect(enforce(nft, closed)).rejects.toThrow('of 4 allowed packets 0 arrived')
})

test('lost packets are noticed: their cost would look too low', async () => {
  const base = await createLab('base', false)
  const lab = await createLab('subject', true)
  try {
    await openLab(sender, 'base', base)
    await openLab(sender, 'subject', lab)
    await toPeerSubject(nft).load(lab, makeEndpoints(10))
    // the flow has no answer yet: its packets pass by the rule, and nothing is lost
    await compare(sender, 'first', 'base', 'subject', lab, 2)
    const closed: PeerShape = {
      name: 'closed',
      render: () => [{ file: 'nft', args: ['-f', '-'], input: 'flush chain inet rules forward\n' }],
    }
    await toPeerSubject(closed).load(lab, makeEndpoints(10))
    await expect(compare(sender, 'first', 'base', 'subject', lab, 2)).rejects.toThrow(/^only 0 of \d+ packets arrived/)
  } finally {
    await closeLab(sender, 'base')
    await closeLab(sender, 'subject')
    await removeLab(base)
    await removeLab(lab)
  }
})

test('a packet dropped at the first hook costs less than one that is delivered, and the sender itself next to nothing', async () => {
  const floor = await measureFloor(sender)
  const base = await createLab('base', false)
  const lab = await createLab('subject', false)
  try {
    await openLab(sender, 'base', base)
    await openLab(sender, 'subject', lab)
    const { baseNs, ratio } = await compare(sender, 'established', 'base', 'subject', lab, 9)
    expect(floor.toFirstHookNs).toBeLessThan(baseNs)
    expect(floor.userNs).toBeLessThan(floor.toFirstHookNs / 20)
    // both are plain bridges
    expect(ratio).toBeGreaterThan(0.9)
    expect(ratio).toBeLessThan(1.1)
  } finally {
    await closeLab(sender, 'base')
    await closeLab(sender, 'subject')
    await removeLab(base)
    await removeLab(lab)
  }
})
