import { createHash } from 'node:crypto'

import * as fc from 'fast-check'
import { expect, test } from 'vitest'

import { agentMessageSchema, centerMessageSchema } from '../messages.ts'
import { assemblePlanText } from './assemble-plan-text.ts'
import { createPlanFetch, type FetchStep, type HeldSections, type PlanFetch } from './fetch-plan.ts'
import {
  planLimits,
  planSectionNames,
  type FetchMessage,
  type PlanMessage,
  type PlanSectionName,
  type SectionDigestTexts,
} from './plan-messages.ts'
import { servePlan, type ServedPlan } from './serve-plan.ts'

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
const digestPlan = (sections: SectionDigestTexts): string =>
  sha256(JSON.stringify(planSectionNames.map((name) => sections[name])))

type Items = Readonly<Record<PlanSectionName, readonly (readonly string[])[]>>

interface SamplePlan {
  readonly items: Items
  readonly served: ServedPlan
  readonly held: HeldSections
  readonly text: string
  /** Bytes of chunks read of it. */
  readonly read: { bytes: number; digests: string[] }
}

function record<T>(of: (name: PlanSectionName) => T): Readonly<Record<PlanSectionName, T>> {
  const [endpoints, zones, addresses, networks, services, verdicts, rules] = planSectionNames
  return {
    endpoints: of(endpoints),
    zones: of(zones),
    addresses: of(addresses),
    networks: of(networks),
    services: of(services),
    verdicts: of(verdicts),
    rules: of(rules),
  }
}

function makePlan(items: Items, revision: number): SamplePlan {
  const bodies = new Map<string, string>()
  const sections = record((name) => {
    const chunks = items[name].map((chunk) => {
      const body = JSON.stringify(chunk)
      bodies.set(sha256(body), body)
      return { digest: sha256(body), bytes: Buffer.byteLength(body) }
    })
    return { digest: sha256(chunks.map((chunk) => chunk.digest).join('\n')), chunks }
  })
  const digest = digestPlan(record((name) => sections[name].digest))
  const bodyOf = (chunk: string): string => bodies.get(chunk) ?? expect.fail('not a chunk of this plan')
  const read = { bytes: 0, digests: [] as string[] }
  const served: ServedPlan = {
    revision,
    digest,
    sections,
    async readChunks(digests) {
      for (const each of digests) read.bytes += Buffer.byteLength(bodyOf(each))
      read.digests.push(...digests)
      return digests.map((each) => ({ digest: each, body: bodyOf(each) }))
    },
  }
  const held = record((name) => ({
    digest: sections[name].digest,
    chunks: sections[name].chunks.map((chunk) => ({ digest: chunk.digest, body: () => bodyOf(chunk.digest) })),
  }))
  const text = JSON.stringify({
    format: 2,
    host: 'h',
    revision,
    digest,
    sections: record((name) => items[name].flat()),
  })
  return { items, served, held, text, read }
}

interface Agent {
  readonly fetch: PlanFetch
  held: SamplePlan | null
}

function makeAgent(held: SamplePlan | null = null): Agent {
  const agent: Agent = { held, fetch: createPlanFetch({ sha256, digestPlan, held: () => agent.held?.held ?? null }) }
  return agent
}

interface Way {
  /** Frames taken before the line breaks. */
  readonly breakAfter?: number
  /** What the center's frame becomes on its way. */
  readonly change?: (message: PlanMessage) => PlanMessage
}

/** Everything goes over the wire's schemas as text. */
async function converse(agent: Agent, plan: SamplePlan, way: Way = {}): Promise<FetchStep | 'broken'> {
  let frames = 0
  const queue: FetchMessage[] = [agent.fetch.begin(plan.served.digest)]
  let last: FetchStep = { kind: 'wait' }
  for (let message = queue.shift(); message !== undefined; message = queue.shift()) {
    const sent = agentMessageSchema.parse(JSON.parse(JSON.stringify(message)))
    if (sent.kind !== message.kind) throw new Error('another kind')
    const answer = servePlan(message, plan.served)
    if (answer.kind === 'refused') throw new Error(answer.reason)
    for await (const frame of answer.frames) {
      if (frames === way.breakAfter) {
        agent.fetch.pause()
        return 'broken'
      }
      frames += 1
      const arrived = centerMessageSchema.parse(JSON.parse(JSON.stringify(way.change?.(frame) ?? frame)))
      if (arrived.kind !== 'plan-sections' && arrived.kind !== 'plan-section' && arrived.kind !== 'plan-chunks') {
        throw new Error('not a frame of a plan')
      }
      last = agent.fetch.onMessage(arrived)
      if (last.kind === 'ask') queue.push(last.message)
      if (last.kind === 'done' || last.kind === 'refused') return last
    }
  }
  return last
}

function textOf(step: FetchStep | 'broken'): string {
  if (step === 'broken' || step.kind !== 'done') return expect.fail(`not done: ${JSON.stringify(step)}`)
  return assemblePlanText({ format: 2, host: 'h', revision: step.revision, digest: step.digest }, step.bodies)
}

const chunk = fc.array(fc.string({ unit: 'binary', maxLength: 4 }), { maxLength: 3 })
// few different items, so that chunks are shared between plans, between sections and within one
const chunks = fc.array(fc.oneof(fc.constantFrom(['a'], ['b', 'c'], [], ['"\\'], ['é']), chunk), { maxLength: 4 })
const items: fc.Arbitrary<Items> = fc.record({
  endpoints: chunks,
  zones: chunks,
  addresses: chunks,
  networks: chunks,
  services: chunks,
  verdicts: chunks,
  rules: chunks,
})

test('over any sequence of plans, what an agent puts together is the plan, and it never asks for a chunk it has', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(items, fc.option(fc.nat(6))), { minLength: 1, maxLength: 5 }), async (steps) => {
      const agent = makeAgent()
      for (const [at, [each, breakAfter]] of steps.entries()) {
        const plan = makePlan(each, at + 1)
        const before = new Set(
          agent.held === null
            ? []
            : planSectionNames.flatMap((name) => agent.held?.held[name].chunks.map((one) => one.digest) ?? []),
        )
        let step = await converse(agent, plan, breakAfter === null ? {} : { breakAfter })
        if (step === 'broken') step = await converse(agent, plan)
        expect(textOf(step)).toBe(plan.text)
        // neither what the last plan had nor, after a break, what had arrived; the batch on its way when the line broke is sent again
        expect(plan.read.digests.filter((digest) => before.has(digest))).toEqual([])
        if (breakAfter === null) expect(new Set(plan.read.digests).size).toBe(plan.read.digests.length)
        agent.fetch.clear()
        agent.held = plan
      }
    }),
    { numRuns: 300 },
  )
})

function bigPlan(revision: number, change?: readonly [number, string]): SamplePlan {
  const rows = Array.from({ length: 300 }, (_, at) =>
    Array.from({ length: 100 }, (_each, k) => `address ${at} ${k} ${change?.[0] === at && k === 7 ? change[1] : ''}`),
  )
  const none: readonly (readonly string[])[] = []
  return makePlan({ ...record(() => none), addresses: rows, rules: [['rule']] }, revision)
}

test('after one change only the changed chunk travels', async () => {
  const before = bigPlan(1)
  const after = bigPlan(2, [150, 'moved'])
  const agent = makeAgent(before)
  expect(textOf(await converse(agent, after))).toBe(after.text)
  expect(after.read.digests).toHaveLength(1)
  expect(after.read.bytes).toBeLessThan(before.text.length / 100)
})

test('a fetch that broke goes on where it was', async () => {
  const plan = makePlan(
    { ...bigPlan(1).items, verdicts: Array.from({ length: 700 }, (_, at) => [`${at} ${'v'.repeat(8000)}`]) },
    1,
  )
  const agent = makeAgent()
  // sections, two lists of one page each and five empty ones, then frames of chunks
  expect(await converse(agent, plan, { breakAfter: 8 + 3 })).toBe('broken')
  const first = plan.read.bytes
  plan.read.bytes = 0
  expect(textOf(await converse(agent, plan))).toBe(plan.text)
  expect(first + plan.read.bytes).toBeLessThan(plan.text.length + 2 * planLimits.batchBytes)
  expect(plan.read.bytes).toBeLessThan(plan.text.length - planLimits.batchBytes)
})

test('a section of more chunks than a page has comes in several', async () => {
  const none: readonly (readonly string[])[] = []
  const verdicts = Array.from({ length: planLimits.pageChunks + 5 }, (_, at) => [String(at)])
  const plan = makePlan({ ...record(() => none), verdicts }, 1)
  expect(textOf(await converse(makeAgent(), plan))).toBe(plan.text)
})

const other = 'f'.repeat(64)
const hostile: readonly (readonly [string, string, (message: PlanMessage) => PlanMessage])[] = [
  [
    'another section digest',
    'plan.wrong-digest',
    (m) => (m.kind === 'plan-sections' ? { ...m, sections: { ...m.sections, rules: other } } : m),
  ],
  [
    'another chunk digest',
    'plan.wrong-digest',
    (m) =>
      m.kind === 'plan-section' && m.section === 'rules'
        ? { ...m, chunks: m.chunks.map((each) => ({ ...each, digest: other })) }
        : m,
  ],
  [
    'a chunk left out',
    'plan.malformed',
    (m) => (m.kind === 'plan-section' && m.section === 'rules' ? { ...m, chunks: [] } : m),
  ],
  [
    'a chunk too many',
    'plan.malformed',
    (m) => (m.kind === 'plan-section' ? { ...m, chunks: [...m.chunks, { digest: other, bytes: 2 }] } : m),
  ],
  [
    'a page that is not the next',
    'plan.malformed',
    (m) => (m.kind === 'plan-section' ? { ...m, from: 1, total: m.total + 1 } : m),
  ],
  [
    'a chunk of another text',
    'plan.wrong-digest',
    (m) =>
      m.kind === 'plan-chunks'
        ? { ...m, chunks: m.chunks.map((each) => ({ ...each, body: each.body.replace('u', 'v') })) }
        : m,
  ],
  [
    'a chunk longer than was told',
    'plan.wrong-digest',
    (m) =>
      m.kind === 'plan-section' ? { ...m, chunks: m.chunks.map((each) => ({ ...each, bytes: each.bytes + 1 })) } : m,
  ],
  [
    'more than memory should hold',
    'plan.malformed',
    (m) =>
      m.kind === 'plan-section' && m.section === 'verdicts'
        ? { ...m, chunks: m.chunks.map((each) => ({ ...each, bytes: planLimits.chunkBytes })) }
        : m,
  ],
]
for (const [what, code, change] of hostile) {
  test(`a center that tells ${what} is refused, and the whole plan can be had afterwards`, async () => {
    const none: readonly (readonly string[])[] = []
    const verdicts = Array.from({ length: 20 }, (_, at) => [`v${at}`])
    const plan = makePlan({ ...record(() => none), verdicts, rules: [['rule 1'], ['rule 2']] }, 1)
    const agent = makeAgent()
    expect(await converse(agent, plan, { change })).toMatchObject({ kind: 'refused', code })
    expect(textOf(await converse(agent, plan))).toBe(plan.text)
  })
}

test('what nobody asked for is not taken', async () => {
  const plan = bigPlan(1)
  const agent = makeAgent()
  const body = '["forged"]'
  const forged: PlanMessage = {
    kind: 'plan-chunks',
    digest: plan.served.digest,
    chunks: [{ digest: sha256(body), body }],
  }
  expect(agent.fetch.onMessage(forged)).toEqual({ kind: 'wait' })
  agent.fetch.begin(plan.served.digest)
  expect(agent.fetch.onMessage(forged)).toEqual({ kind: 'wait' })
  expect(
    agent.fetch.onMessage({
      kind: 'plan-section',
      digest: plan.served.digest,
      section: 'rules',
      from: 0,
      total: 0,
      chunks: [],
    }),
  ).toEqual({ kind: 'wait' })
  expect(agent.fetch.onMessage({ ...forged, digest: other })).toEqual({ kind: 'wait' })
  expect(textOf(await converse(agent, plan))).toBe(plan.text)
})

test('an agent that asks for what the plan does not have, or for a thing twice, is refused', () => {
  const { served } = bigPlan(1)
  const { digest } = served
  const [known] = served.sections.addresses.chunks
  if (known === undefined) return expect.fail('no chunk')
  const asks: readonly FetchMessage[] = [
    { kind: 'fetch-chunks', digest, chunks: [other] },
    { kind: 'fetch-chunks', digest, chunks: [known.digest, known.digest] },
    { kind: 'fetch-sections', digest, sections: ['rules', 'rules'] },
  ]
  for (const ask of asks) expect(servePlan(ask, served)).toMatchObject({ kind: 'refused' })
})
