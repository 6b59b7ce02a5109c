/** CPU time per small packet against a plain Linux bridge, for our program and for the peers’ rule shapes. How to read it: bench/README.md. */
import { cpus } from 'node:os'

import { makeEndpoints } from './datapath/endpoints.ts'
import { measureFloor } from './datapath/floor.ts'
import { toFigures, type Outcome } from './datapath/figures.ts'
import { createLab, removeLab } from './datapath/lab.ts'
import { checkEnforcement, closeLab, compare, openLab, prepareFlows } from './datapath/measure.ts'
import { toOurSubject } from './datapath/ours.ts'
import { startSender, type Sender } from './datapath/sender.ts'
import { ipset } from './datapath/shapes/ipset.ts'
import { neutron } from './datapath/shapes/neutron.ts'
import { nft } from './datapath/shapes/nft.ts'
import { nwfilter } from './datapath/shapes/nwfilter.ts'
import { proxmox } from './datapath/shapes/proxmox.ts'
import { toPeerSubject, type Subject } from './datapath/subject.ts'
import { claimWorkspace } from './datapath/workspace.ts'
import type { Bench } from './lib/bench.ts'

const sizes = [10, 1000, 10_000] as const
const quickSizes = [10, 1000] as const
const ours = toOurSubject('ours', 'one')
const subjects: readonly Subject[] = [
  ours,
  toOurSubject('ours_bridged', 'two'),
  toOurSubject('ours_nftables', 'nftables'),
  ...[proxmox, neutron, nwfilter, ipset, nft].map(toPeerSubject),
]

export const bench: Bench = {
  name: 'datapath',
  summary: 'CPU per small packet against a plain bridge: ours and the peers, at 10, 1,000 and 10,000 endpoints',
  run: async ({ quick, progress, signal }) => {
    const rounds = quick ? 9 : 25
    const outcomes: Outcome[] = []
    // the last CPU: interrupts and the rest of the machine prefer the first
    const sender = await startSender(cpus().length - 1)
    let release = async (): Promise<void> => {}
    try {
      release = await claimWorkspace()
      await prepareFlows(sender)
      const floor = await measureFloor(sender)
      progress(
        `the method itself: ${floor.toFirstHookNs.toFixed(0)} ns up to the first hook, ${floor.userNs.toFixed(1)} ns of them outside the kernel`,
      )
      const baseLab = await createLab('base', false)
      await openLab(sender, 'base', baseLab)
      await checkEnforcement(sender, 'base', baseLab, false)
      for (const size of quick ? quickSizes : sizes) {
        for (const subject of subjects) {
          signal.throwIfAborted()
          const outcome = await measure(sender, subject, size, rounds)
          progress(describe(outcome))
          outcomes.push(outcome)
        }
      }
      const failed = outcomes.find((outcome) => !outcome.ok && outcome.subject === ours.name)
      if (failed !== undefined) throw new Error(`our own program was not measured: ${describe(failed)}`)
      const names = subjects.map((subject) => subject.name)
      return toFigures(names, sizes, outcomes, floor)
    } finally {
      await sender.close()
      await release()
    }
  },
}

/** A subject that cannot be loaded, or does not do what it is loaded for, is an outcome too. */
async function measure(sender: Sender, subject: Subject, size: number, rounds: number): Promise<Outcome> {
  const lab = await createLab('subject', subject.bridgeNetfilter)
  let unload = async (): Promise<void> => {}
  try {
    unload = await subject.load(lab, makeEndpoints(size))
    await openLab(sender, 'subject', lab)
    await checkEnforcement(sender, 'subject', lab, true)
    const established = await compare(sender, 'established', 'base', 'subject', lab, rounds)
    const first = await compare(sender, 'first', 'base', 'subject', lab, rounds)
    return { ok: true, subject: subject.name, size, established, first }
  } catch (error) {
    return { ok: false, subject: subject.name, size, reason: toReason(error) }
  } finally {
    await closeLab(sender, 'subject')
    await unload()
    await removeLab(lab)
  }
}

/** One line: the rest of a tool's complaint is its whole input again. */
function toReason(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return (message.split('\n', 1)[0] ?? '').slice(0, 300)
}

function describe(outcome: Outcome): string {
  const head = `${String(outcome.size).padStart(6)} endpoints  ${outcome.subject.padEnd(14)}`
  if (!outcome.ok) return `${head}not measured: ${outcome.reason}`
  const { established, first } = outcome
  return (
    `${head}established ${established.ratio.toFixed(2)} (${established.subjectNs.toFixed(0)} ns)  ` +
    `first packet ${first.ratio.toFixed(2)} (${first.subjectNs.toFixed(0)} ns)  ` +
    `plain bridge ${established.baseNs.toFixed(0)} / ${first.baseNs.toFixed(0)} ns`
  )
}
