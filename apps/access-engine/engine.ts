/**
 * One access engine, wired from its parts: VMs followed, a plan held, both enforced round by round, and all of it told to the center. It owns no protection: that is
 * in the kernel, and neither starting nor stopping an engine takes any of it away.
 */
import { OperationError, unknown, type OperationErrorCode } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import type { AgentEvent, AgentMessage, CenterMessage, RealizedState } from '@hyperward/protocol'
import { protocolVersion } from '@hyperward/protocol'
import { createReconciler, type RoundReport } from '@hyperward/reconciler'

import { createChannelClient } from './channel/channel-client.ts'
import { createEventOutbox } from './channel/event-outbox.ts'
import { createMoving } from './enforce/moving.ts'
import { createEndpointReporter } from './enforce/endpoint-reporter.ts'
import { createEnforcer, type EnforceRound } from './enforce/enforcer.ts'
import { inspectHost } from './enforce/inspect-host.ts'
import { createRenewal } from './enroll/renewal.ts'
import { readCertificateLife, type HostIdentity } from './enroll/host-identity.ts'
import { createGatewayWatch } from './report/gateway-watch.ts'
import { logRound } from './report/log-round.ts'
import { createInventoryReporter } from './report/inventory-reporter.ts'
import { createPlanReceiver } from './plan/plan-receiver.ts'
import { createVmFollower } from './taps/vm-follower.ts'
import { defaultIntervals, type EngineOptions } from './engine-options.ts'
import { toDriverText } from './report/to-driver-text.ts'

/** Of the center, waiting at once; more are not answered. */
const maxQuestions = 16

export interface Engine {
  /** Enforces the saved plan first; the center is reached after. */
  start(): Promise<void>
  /** For `status`: what is held, enforced and connected. */
  state(): unknown
  /** Leaves all protection loaded. */
  stop(): Promise<void>
}

export function createEngine(options: EngineOptions): Engine {
  const { store, datapath, log, now } = options
  const intervals = { ...defaultIntervals, ...options.intervals }
  let identity: HostIdentity | null = null
  let identityProblem: string | null = null
  let seq = 0
  const nextSeq = (): number => (seq += 1)
  const outbox = createEventOutbox({ nextSeq })
  let timers: NodeJS.Timeout[] = []
  let lastRound: EnforceRound | null = null
  let lastStatusText = ''
  let lastSeen = ''
  let driftFound = 0
  let verifiedAt = now()
  /** Ids of `verify` that the next round answers. */
  const asked: number[] = []

  function tell(kind: AgentEvent['kind'], message: string, endpoint: string | null = null): void {
    outbox.addAgent({ kind, at: new Date(now()).toISOString(), endpoint, message: message.slice(0, 4000) })
    log[['plan-applied', 'libvirt-back', 'gateway-up'].includes(kind) ? 'info' : 'warn'](
      { event: kind, endpoint },
      message,
    )
  }

  const follower = createVmFollower({
    openSession: options.openLibvirt,
    links: options.links,
    onObserved(cause) {
      const followed = follower.current()
      if (followed.known) inventory.onVms(followed.value.vms)
      // a look that found nothing new needs no round of its own: the loop's interval makes one anyway
      const seen = followed.known ? JSON.stringify(followed.value.taps) : followed.reason
      if (seen === lastSeen) return
      lastSeen = seen
      loop.trigger(`libvirt: ${cause}`)
    },
    onLost: (reason) => tell('libvirt-lost', `libvirt cannot be followed: ${reason}; what is enforced stays`),
    onBack: () => tell('libvirt-back', 'libvirt is followed again'),
    onBug: (error) => log.error({ err: error }, 'a look at libvirt failed unexpectedly'),
    intervalMs: intervals.follow,
    now,
    random: options.random,
  })

  const enforcer = createEnforcer({
    datapath,
    door: options.door,
    held: () => store.held(),
    observeTaps: async () => {
      const followed = follower.current()
      return followed.known ? { known: true, value: followed.value.taps } : followed
    },
    isSameLink: options.isSameLink,
    observeInspection: options.observeInspection ?? (async () => ({ gateways: [], failOpen: [] })),
  })

  const gateways = createGatewayWatch({
    probe: () => datapath.probeGateways(),
    tell,
    onUnknown: (reason) => log.warn({ reason }, 'gateways could not be probed'),
    now,
    graceMs: 2000,
  })

  const endpointReporter = createEndpointReporter({ onEvent: tell, now })

  const loop = createReconciler<EnforceRound>({
    async round() {
      // before anything is put right: what is asked for is what is there
      for (const id of asked.splice(0)) await answerVerify(id)
      await findDrift()
      return enforcer.round()
    },
    onRound,
    intervalMs: intervals.round,
    backoff: { minMs: 250, maxMs: 10_000 },
    now,
    random: options.random,
  })

  const channel = createChannelClient({
    connect: (handlers) => options.connectCenter(requireIdentity(), handlers),
    hello: () => {
      const held = store.held()
      return {
        protocol: protocolVersion,
        software: options.software,
        heldRevision: held.kind === 'none' ? 0 : (held.revision ?? 0),
        heldDigest: held.kind === 'held' ? held.plan.digest : null,
        kernel: options.kernel,
        stream: options.stream,
      }
    },
    outbox,
    nextSeq,
    onMessage: onCenterMessage,
    onState(state) {
      if (state.kind === 'disconnected') receiver.onNoAnswer()
      log.info({ channel: state.kind, reason: state.kind === 'disconnected' ? state.reason : null }, 'center channel')
    },
    now,
    random: options.random,
  })

  const moving = createMoving({
    datapath,
    enforcer,
    moveOut: options.moveOut,
    send: (message) => channel.send(message),
    log,
  })

  const inventory = createInventoryReporter({
    report: (vms) => channel.setInventory({ vms }),
    onProblem: (vm, message) => tell('vm-metadata', message, vm.nics[0]?.endpoint ?? null),
  })

  const receiver = createPlanReceiver({
    host: options.host,
    store,
    sha256: sha256Hex,
    send: (message: AgentMessage) => channel.send(message),
    requestRound: () => loop.request('plan'),
    onEvent: tell,
    now,
  })

  const renewal = createRenewal({
    identity: requireIdentity,
    createKeyAndCsr: options.createKeyAndCsr,
    send: (csr) => channel.send({ kind: 'renew', csr }),
    async onRenewed(renewed) {
      await options.saveIdentity(renewed)
      identity = renewed
      channel.reconnect('a new certificate is used')
      log.info({ endsAt: endOf(renewed) }, 'the certificate was renewed')
    },
    onFailed: (message) => log.warn({}, message),
    now,
    askAgainMs: intervals.renewal,
  })

  function onCenterMessage(message: Exclude<CenterMessage, { kind: 'ack' }>): void {
    switch (message.kind) {
      case 'welcome':
        // nobody read the counters while nobody listened
        sendStatus('interval')
        return inBackground(checkRenewal())
      case 'plan-available':
        return receiver.onAnnounced(message)
      case 'plan-sections':
      case 'plan-section':
      case 'plan-chunks':
        return inBackground(receiver.onPlanMessage(message))
      case 'verify':
        if (asked.length < maxQuestions) asked.push(message.id)
        return loop.trigger('verify')
      case 'export-connections':
      case 'import-connections':
      case 'move-out':
        return inBackground(moving.onMessage(message))
      case 'certificate':
        return inBackground(renewal.onCertificate(message.certificate))
      case 'error':
        if (message.code === 'agent.unknown-plan') receiver.onNoAnswer()
        return log.warn({ code: message.code }, `the center: ${message.message}`)
    }
  }

  async function checkRenewal(): Promise<void> {
    if (identity !== null && options.renew !== false) await renewal.check()
  }

  function requireIdentity(): HostIdentity {
    if (identity === null) throw new Error('the channel was started without an identity')
    return identity
  }

  /**
   * While there is no connection the saved identity is looked at: a host that is not enrolled, or whose certificate ended while it was off, still enforces what it
   * holds, and enrolling it takes effect without a restart.
   */
  async function followIdentity(): Promise<void> {
    if (channel.state().kind === 'connected') return
    try {
      const saved = await options.loadIdentity()
      if (saved === null) {
        const code: OperationErrorCode = 'engine.not-enrolled'
        return sayIdentityProblem(`${code}: this host has no certificate of a center; enrol it with \`enroll\``)
      }
      sayIdentityProblem(endedProblem(saved))
      if (saved.certificatePem === identity?.certificatePem && saved.keyPem === identity.keyPem) return
      const isFirst = identity === null
      identity = saved
      if (isFirst) channel.start()
      else channel.reconnect('a new certificate is used')
    } catch (error) {
      if (!(error instanceof OperationError)) throw error
      sayIdentityProblem(`${error.code}: ${error.message}`)
    }
  }

  /** Told, but tried all the same: by which clock it ended is the center's to say. */
  function endedProblem(saved: HostIdentity): string | null {
    const endsAt = endOf(saved)
    if (endsAt === null || Date.parse(endsAt) > now()) return null
    const code: OperationErrorCode = 'agent.certificate-ended'
    return `${code}: this host's certificate ended ${endsAt}; what is enforced stays; enrol this host again with a new token`
  }

  function endOf(saved: HostIdentity): string | null {
    return options.renew === false ? null : new Date(readCertificateLife(saved).endsAt).toISOString()
  }

  function sayIdentityProblem(problem: string | null): void {
    if (problem !== null && problem !== identityProblem) log.error({}, problem)
    identityProblem = problem
  }

  function inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => log.error({ err: error }, 'work for the channel failed unexpectedly'))
  }

  /** Tells what differs from what was loaded; the round that follows repairs it. */
  async function findDrift(): Promise<void> {
    if (now() - verifiedAt < intervals.verify) return
    verifiedAt = now()
    const verified = await datapath.verify()
    if (!verified.known) return log.warn({ reason: verified.reason }, 'what is loaded could not be read back')
    driftFound += verified.value.drift.length
    for (const drift of verified.value.drift) tell('drift', `${drift}; it is being put right`)
  }

  async function answerVerify(id: number): Promise<void> {
    const enforced = enforcer.lastEnforced()
    const state =
      enforced === null
        ? unknown<RealizedState>('nothing was enforced yet since this agent started')
        : await inspectHost({ ...enforced, door: options.door, inspect: (plan, taps) => datapath.inspect(plan, taps) })
    const answer = state.known ? { state: state.value, reason: null } : { state: null, reason: state.reason }
    channel.send({ kind: 'verified', id, ...answer })
  }

  function onRound(report: RoundReport<EnforceRound>): void {
    const { outcome, reason, causes, ms, round } = report
    if (round !== null) {
      lastRound = round
      endpointReporter.onEndpoints(round.endpoints)
    }
    logRound(log, report)
    receiver.onRound(report)
    sendStatus('changed')
    if (outcome === 'applied') log.debug({ causes, ms, reason }, 'endpoints changed')
  }

  /** At once when an endpoint or the revision changed, else at each interval with fresh counters. */
  function sendStatus(when: 'changed' | 'interval'): void {
    if (lastRound === null) return
    const { endpoints } = lastRound
    const revision = lastRound.revision ?? 0
    const text = JSON.stringify([revision, endpoints, driftFound])
    if (when === 'changed' && text === lastStatusText) return
    lastStatusText = text
    const counters = datapath.readCounters()
    if (!counters.known) log.warn({ reason: counters.reason }, 'rule counters could not be read')
    channel.setStatus({
      revision,
      driver: toDriverText(options.driver),
      drift: driftFound,
      endpoints: [...endpoints],
      counters: counters.known ? [...counters.value] : [],
      rssBytes: process.memoryUsage.rss(),
    })
  }

  function onStatusInterval(): void {
    // an endpoint that stays closed is told when its grace is over, which no round need mark
    if (lastRound !== null) endpointReporter.onEndpoints(lastRound.endpoints)
    if (channel.state().kind === 'connected') sendStatus('interval')
  }

  function poll(): void {
    const polled = datapath.pollEvents((event) => {
      const { host: _host, ...reported } = event
      outbox.addDatapath(reported)
    })
    if (!polled.known) log.warn({ reason: polled.reason }, 'datapath events could not be read')
  }

  function every(ms: number, action: () => void): void {
    timers.push(setInterval(action, ms))
  }

  return {
    async start() {
      const held = await store.load()
      if (held.kind === 'unreadable') {
        tell('plan-refused', `the saved plan cannot be used: ${held.reason}; what is loaded stays, nothing opens`)
      }
      if (options.kernelLacks !== null) tell('kernel-lacks', options.kernelLacks)
      log.info({ held: held.kind, revision: held.kind === 'none' ? null : held.revision }, 'access engine starts')
      follower.start()
      loop.start()
      inBackground(followIdentity())
      every(intervals.identity, () => inBackground(followIdentity()))
      every(intervals.pollEvents, poll)
      every(intervals.status, onStatusInterval)
      every(intervals.renewal, () => inBackground(checkRenewal()))
      every(intervals.probeGateways, () => gateways.look())
      every(intervals.collectExpired, () => {
        const collected = datapath.collectExpired()
        if (!collected.known) log.warn({ reason: collected.reason }, 'expired connections could not be collected')
      })
    },
    state: () => toState(),
    async stop() {
      for (const timer of timers) clearInterval(timer)
      timers = []
      receiver.stop()
      channel.stop()
      await follower.stop()
      await loop.stop()
    },
  }

  function toState(): unknown {
    const held = store.held()
    const followed = follower.current()
    return {
      host: options.host,
      running: true,
      plan: held.kind === 'held' ? { revision: held.revision, digest: held.plan.digest } : { state: held.kind },
      libvirt: followed.known ? { known: true, vms: followed.value.vms.length } : followed,
      channel: channel.state(),
      certificate: { endsAt: identity === null ? null : endOf(identity), problem: identityProblem },
      datapath: options.driver,
      lastRound,
      gateways: gateways.last(),
      drift: driftFound,
      events: { waiting: outbox.size(), lost: outbox.lost() },
      rssBytes: process.memoryUsage.rss(),
    }
  }
}
