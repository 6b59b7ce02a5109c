/** Firewall files of other products → the text of a policy document. Pure: nothing is opened, the same files give the same text. */
import { type Parsed, parseTenantName } from '@hyperward/model'

import { decodeText, type ImportFile, importMaxBytes, type SourceText } from './decode-text.ts'
import type { DraftDocument, LabelHint } from './document/draft.ts'
import { toName } from './document/namer.ts'
import { renderDocument } from './document/render-document.ts'
import type { ImportKind, ImportOptions } from './import-options.ts'
import { iptablesToDraft } from './iptables/to-draft.ts'
import { parseIptables } from './iptables/parse-iptables.ts'
import { parseNwfilter } from './nwfilter/parse-nwfilter.ts'
import { nwfilterToDraft } from './nwfilter/to-draft.ts'
import { parseOpenstack } from './openstack/parse-openstack.ts'
import { openstackToDraft } from './openstack/to-draft.ts'
import { parseProxmox } from './proxmox/parse-proxmox.ts'
import { proxmoxToDraft } from './proxmox/to-draft.ts'
import { createReport, type Report } from './report.ts'

/** Rules of the result: what has more is not what a person wrote, and no person would read it. */
export const importMaxRules = 50_000

export interface ImportedPolicy {
  /** A policy document (docs/policy-language.md). */
  readonly text: string
  /** Labels that VMs must be given before it means anything; also in the head of the text. */
  readonly hints: readonly LabelHint[]
}

/** Warnings say each thing that came out narrower than it was, or was not taken over. Nothing comes out wider. */
export function importFiles(
  kind: ImportKind,
  files: readonly ImportFile[],
  options: ImportOptions = {},
): Parsed<ImportedPolicy> {
  const report = createReport()
  const draft = toDraft(kind, files, options, report)
  const diagnostics = report.diagnostics()
  if (draft === null || !report.usable()) {
    const told = diagnostics.some(({ severity }) => severity === 'error')
    if (!told) report.add('import.nothing', undefined, {})
    return { ok: false, diagnostics: report.diagnostics() }
  }
  const text = renderDocument(draft, { kind, files: files.map(({ name }) => name), diagnostics })
  return { ok: true, value: { text, hints: draft.hints }, warnings: diagnostics }
}

function toDraft(
  kind: ImportKind,
  files: readonly ImportFile[],
  options: ImportOptions,
  report: Report,
): DraftDocument | null {
  const size = files.reduce((sum, file) => sum + file.content.length, 0)
  if (size > 2 * importMaxBytes) {
    report.add('import.too-large', undefined, { size, limit: 2 * importMaxBytes })
    return null
  }
  const sources = files.flatMap((file) => decodeText(file, report) ?? [])
  if (sources.length < files.length || sources.length === 0) return null
  const tenant = options.tenant ?? 'imported'
  if (parseTenantName(tenant) === null) {
    report.add('import.malformed', undefined, { text: tenant })
    return null
  }
  const draft = readers[kind](sources, { ...options, tenant }, report)
  if (draft === null || !report.usable()) return null
  const rules = draft.tenants.reduce((sum, one) => sum + one.policies.reduce((n, policy) => n + policy.rules.length, 0), 0) // prettier-ignore
  if (rules > importMaxRules) {
    report.add('import.too-many', undefined, { limit: importMaxRules })
    return null
  }
  return draft
}

type Reader = (
  sources: readonly SourceText[],
  options: ImportOptions & { readonly tenant: string },
  report: Report,
) => DraftDocument | null

const readers: Readonly<Record<ImportKind, Reader>> = {
  iptables: (sources, options, report) => {
    const parsed = sources.flatMap((source) => parseIptables(source, report) ?? [])
    if (parsed.length < sources.length) return null
    const rules = parsed.filter((file) => file.kind === 'rules')
    if (rules.length === 0) return null
    const name = options.name ?? toName((rules[0]?.file ?? '').replace(/^.*\//, '')) ?? 'machine'
    return iptablesToDraft(
      rules,
      parsed.filter((file) => file.kind === 'sets'),
      { ...options, name },
      report,
    )
  },
  proxmox: (sources, options, report) => {
    const parsed = sources.flatMap((source) => parseProxmox(source, report) ?? [])
    return parsed.length < sources.length ? null : proxmoxToDraft(parsed, options, report)
  },
  nwfilter: (sources, options, report) => {
    const parsed = sources.map((source) => parseNwfilter(source, report))
    const filters = parsed.filter((found) => found !== null)
    return filters.length < sources.length ? null : nwfilterToDraft(filters.flat(), options, report)
  },
  openstack: (sources, options, report) => {
    const parsed = sources.map((source) => parseOpenstack(source, report))
    const groups = parsed.filter((found) => found !== null)
    return groups.length < sources.length ? null : openstackToDraft(groups.flat(), options, report)
  },
}
