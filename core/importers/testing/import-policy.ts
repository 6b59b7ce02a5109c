/** For tests: what imported files do with packets, by the compiler's own evaluation of the text that came out. */
import { type Diagnostic, parseAddress, type Packet } from '@hyperward/model'
import { explain, parseInventory, parsePolicy, resolve } from '@hyperward/policy'

import { importFiles, type ImportedPolicy } from '../import-files.ts'
import type { ImportKind, ImportOptions } from '../import-options.ts'

export interface TestVm {
  readonly name: string
  readonly tenant?: string
  readonly labels: Readonly<Record<string, string>>
  readonly addresses: readonly string[]
}

export interface Imported extends ImportedPolicy {
  readonly warnings: readonly Diagnostic[]
  /** `code:line`, sorted by place. */
  readonly told: readonly string[]
}

export function importTexts(
  kind: ImportKind,
  files: Readonly<Record<string, string>>,
  options: ImportOptions = {},
): Imported {
  const given = Object.entries(files).map(([name, content]) => ({ name, content }))
  const imported = importFiles(kind, given, options)
  if (!imported.ok) throw new Error(JSON.stringify(imported.diagnostics, null, 1))
  const told = imported.warnings.map(({ code, place }) => `${code.slice('import.'.length)}:${place?.line ?? 0}`)
  return { ...imported.value, warnings: imported.warnings, told }
}

/** The codes that forbid a result. */
export function importErrors(
  kind: ImportKind,
  files: Readonly<Record<string, string | Uint8Array>>,
): readonly string[] {
  const given = Object.entries(files).map(([name, content]) => ({ name, content }))
  const imported = importFiles(kind, given)
  return imported.ok ? [] : imported.diagnostics.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}

/** [source, destination, service]: `tcp/443`, `icmp/8`, `47`. */
export type Question = readonly [string, string, string]

const protocols: Readonly<Record<string, number>> = { tcp: 6, udp: 17, icmp: 1, icmpv6: 58, sctp: 132 }

export function createJudge(text: string, vms: readonly TestVm[]): (question: Question) => string {
  const policy = parsePolicy(text, 'imported.yaml')
  if (!policy.ok) throw new Error(`${JSON.stringify(policy.diagnostics, null, 1)}\n${text}`)
  const rows = vms.map(
    ({ name, tenant = 'imported', labels, addresses }, index) => `
  - uuid: 00000000-0000-4000-8000-0000000000${10 + index}
    name: ${name}
    host: h1
    tenant: ${tenant}
    labels: ${JSON.stringify(labels)}
    endpoints: [{ mac: "52:54:00:00:00:${10 + index}", addresses: ${JSON.stringify(addresses)} }]`,
  )
  const inventory = parseInventory(
    `apiVersion: hyperward/v1\nkind: Inventory\nhosts: [h1]\nvms:${rows.join('')}\n`,
    'inventory.yaml',
  )
  if (!inventory.ok) throw new Error(JSON.stringify(inventory.diagnostics))
  const resolved = resolve(policy.value, inventory.value)
  return ([from, to, service]) => {
    const [name = '', number] = service.split('/')
    const [source, destination] = [parseAddress(from), parseAddress(to)]
    if (source === null || destination === null) throw new Error(`${from} ${to}`)
    const packet: Packet = {
      source,
      destination,
      protocol: protocols[name] ?? Number(name),
      ...(number === undefined ? {} : { port: Number(number) }),
    }
    return explain(resolved, packet).verdict
  }
}
