/** For tests: a process that drives one pin root, tells when it has, and waits to be killed. Arguments: object, pin root, plan and attachments as JSON, file to tell in. */
import { readFileSync, writeFileSync } from 'node:fs'

import type { HostPlan } from '@hyperward/model'

import { createEbpfDriver, type Attachment } from '../index.ts'
import { planHost } from '@hyperward/datapath-testkit'

const [objectPath = '', pinRoot = '', inputPath = '', tellPath = ''] = process.argv.slice(2)
// as: written by the test that started this
const input = JSON.parse(readFileSync(inputPath, 'utf8')) as { plan: HostPlan; attachments: Attachment[] }
const created = createEbpfDriver({ objectPath, pinRoot, host: planHost, now: () => new Date() })
if (!created.known) throw new Error(created.reason)
const driver = created.value
const report = await driver.reconcile(input.plan, input.attachments)
writeFileSync(tellPath, report.outcome)
setInterval(() => driver.pollEvents(() => undefined), 1000)
