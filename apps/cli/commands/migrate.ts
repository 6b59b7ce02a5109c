import { setTimeout as sleep } from 'node:timers/promises'

import { migrationSchema } from '@hyperward/protocol'

import type { Run } from '../command.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import { ExpectationFailure } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'

const pauseMs = 200

export const migrate: Run<'migrate'> = async ({ values, positionals: [name = '', host = ''], context }) => {
  const { out, text, globals, io } = context
  const center = await context.connect()
  const uuid = findVm(await readEndpoints(center), name)
  const body = {
    host,
    ...(values.destination === undefined ? {} : { destination: values.destination }),
    ...(values['migrate-uri'] === undefined ? {} : { migrateUri: values['migrate-uri'] }),
  }
  await center.ask('POST /v1/vms/{uuid}/migration', { params: { uuid }, body })
  const route = 'GET /v1/vms/{uuid}/migration'
  let told = 0
  for (;;) {
    const answer = await center.ask(route, { params: { uuid } })
    const migration = readAnswer(route, migrationSchema, answer)
    if (!globals.json) for (const { step } of migration.steps.slice(told)) out.line(step)
    told = migration.steps.length
    if (migration.state !== 'running') {
      if (globals.json) out.json(answer)
      if (migration.state === 'done') return 'ok'
      throw new ExpectationFailure(
        text('cli.said.migrate-failed', { vm: migration.name, reason: migration.reason ?? '' }),
      )
    }
    await sleep(pauseMs, undefined, { signal: io.signal })
  }
}
