import { nearest } from '@hyperward/catalogue'
import { parseVmUuid, type VmUuid } from '@hyperward/model'
import { endpointsSchema, type ApiEndpoint } from '@hyperward/protocol'

import { cliError } from '../failures.ts'
import { readAnswer } from '../read-answer.ts'
import type { Center } from './center.ts'

export async function readEndpoints(center: Center): Promise<readonly ApiEndpoint[]> {
  const route = 'GET /v1/endpoints'
  return readAnswer(route, endpointsSchema, await center.ask(route)).endpoints
}

/** A UUID is taken at its word: the VM may not be there yet. A name must be of exactly one VM. */
export function findVm(endpoints: readonly Pick<ApiEndpoint, 'vm'>[], text: string): VmUuid {
  const uuid = parseVmUuid(text)
  if (uuid !== null) return uuid
  const uuids = [...new Set(endpoints.filter(({ vm }) => vm.name === text).map(({ vm }) => vm.uuid))]
  const [only] = uuids
  if (uuids.length > 1) throw cliError('cli.vm-ambiguous', { name: text, uuids: uuids.join(', ') })
  const found = only === undefined ? null : parseVmUuid(only)
  if (found === null) {
    const names = [...new Set(endpoints.map(({ vm }) => vm.name))]
    throw cliError('cli.vm-unknown', { name: text, nearest: nearest(text, names) })
  }
  return found
}
