import { vmSchema, type ApiVm } from '@hyperward/protocol'

import type { CommandContext, Run } from '../command.ts'
import { findVm, readEndpoints } from '../connection/find-vm.ts'
import { readAnswer } from '../read-answer.ts'
import { toLabels } from '../render/to-words.ts'

export const vmsShow: Run<'vms show'> = async ({ positionals: [name = ''], context }) => {
  const { out, globals } = context
  const center = await context.connect()
  const uuid = findVm(await readEndpoints(center), name)
  const route = 'GET /v1/vms/{uuid}'
  const answer = await center.ask(route, { params: { uuid } })
  if (globals.json) out.json(answer)
  else tellVm(context, readAnswer(route, vmSchema, answer))
  return 'ok'
}

export function tellVm({ out, text }: CommandContext, vm: ApiVm): void {
  const none = text('cli.word.none')
  const { override } = vm
  const columns = [
    { title: text('cli.column.setting') },
    { title: text('cli.column.value') },
    { title: text('cli.said.override') },
  ]
  const addresses = vm.endpoints.map(({ mac, addresses, segment }) => [
    segment === null ? mac : `${mac} (${segment})`,
    addresses.join(' '),
    override.addresses[mac]?.join(' ') ?? '',
  ])
  out.table(columns, [
    [text('cli.column.vm'), vm.name ?? none, ''],
    ['UUID', vm.uuid, ''],
    [text('cli.column.host'), vm.host ?? none, ''],
    [text('cli.column.tenant'), vm.tenant ?? none, override.tenant ?? ''],
    [text('cli.column.os'), vm.os ?? none, override.os ?? ''],
    [text('cli.column.labels'), toLabels(vm.labels), toLabels(override.labels)],
    ...addresses,
  ])
}
