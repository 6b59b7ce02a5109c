/** A policy and VMs small enough to read. */
import type { ReportedVm } from '@hyperward/protocol'

export function samplePolicy(port = 5432): string {
  return `apiVersion: hyperward/v1
kind: Policy
tenants:
  acme:
    groups:
      web: { labels: { role: web } }
      db: { labels: { role: db } }
    policies:
      - policy: app
        rules:
          - { name: web-to-db, from: web, to: db, service: { tcp: ${port} }, action: allow }
`
}

/** VM number `n` with one endpoint, 10.0.x.y. */
export function sampleVm(n: number, role: string, tenant: string | null = 'acme'): ReportedVm {
  const hex = n.toString(16).padStart(4, '0')
  return {
    uuid: `00000000-0000-4000-8000-00000000${hex}`,
    name: `${role}-${n}`,
    tenant,
    labels: { role },
    endpoints: [{ mac: `52:54:00:00:${hex.slice(0, 2)}:${hex.slice(2)}`, addresses: [sampleAddress(n)] }],
  }
}

export function sampleAddress(n: number): string {
  return `10.0.${n >> 8}.${n & 255}`
}

export function sampleEndpoint(n: number): string {
  const vm = sampleVm(n, '')
  return `${vm.uuid}/${vm.endpoints[0]?.mac ?? ''}`
}
