import type { RoundReport } from '@hyperward/reconciler'

import type { EnforceRound } from '../enforce/enforcer.ts'

export interface EngineLog {
  debug(fields: object, message: string): void
  info(fields: object, message: string): void
  warn(fields: object, message: string): void
  error(fields: object, message: string): void
}

/** One line a round; rounds that changed nothing only at debug. */
export function logRound(log: EngineLog, report: RoundReport<EnforceRound>): void {
  const { round, outcome, reason, causes, ms } = report
  const enforced = round?.endpoints.filter((endpoint) => endpoint.state === 'enforced').length ?? 0
  const fields = {
    outcome,
    revision: round?.revision ?? null,
    enforced,
    closed: (round?.endpoints.length ?? 0) - enforced,
    steps: round?.steps ?? 0,
    doorsOpened: round?.opened ?? 0,
    doorsClosed: round?.closed ?? 0,
    ms,
    causes,
    ...(reason === null ? {} : { reason }),
  }
  switch (outcome) {
    case 'unchanged':
      return log.debug(fields, 'round')
    case 'applied':
      return log.info(fields, 'round')
    case 'kept':
      return log.warn(fields, 'round')
    case 'failed':
      return log.error(report.error === null ? fields : { ...fields, err: report.error }, 'round')
  }
}
