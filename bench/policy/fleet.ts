/** A made-up cloud of given size, the same every time: tenants with applications in three tiers, VMs scattered over hosts, rules as administrators write them. */
import {
  type Inventory,
  parseAddress,
  parseHostName,
  parseMac,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  type Vm,
} from '@hyperward/model'

export interface FleetSize {
  readonly endpoints: number
  readonly rules: number
  readonly hosts: number
  readonly tenants: number
}

const appsPerTenant = 8
const tiers = ['web', 'app', 'db'] as const
const providerRules = 40

export function makePolicyText(size: FleetSize): string {
  const perTenant = Math.floor((size.rules - providerRules) / size.tenants)
  const tenants = range(size.tenants).map((tenant) => tenantText(tenant, perTenant))
  const left = size.rules - perTenant * size.tenants
  return `apiVersion: hyperward/v1\nkind: Policy\n${providerText(left)}tenants:\n${tenants.join('')}`
}

function providerText(rules: number): string {
  const platform = range(rules - 2).map((index) => {
    const port = 20_000 + index
    return index % 2 === 0
      ? ruleText(`watch-${index}`, 'monitoring', 'any', `{tcp: [${port}]}`, 'allow', '        ')
      : ruleText(`no-${index}`, 'any', `site-${index % 5}`, `{tcp: [${port}], udp: [${port}]}`, 'drop', '        ')
  })
  const sites = range(5).map(
    (site) => `    site-${site}: {networks: [100.64.${site * 16}.0/20, "2001:db8:${site}::/48"]}\n`,
  )
  return `provider:
  groups:
    monitoring: {networks: [10.255.0.0/24, "fd00:ffff::/64"]}
${sites.join('')}  platform:
    - policy: infrastructure
      rules:
${platform.join('')}  baseline:
    - policy: defaults
      rules:
${ruleText('ping', 'any', 'any', '{icmp: [echo-request], icmpv6: [echo-request]}', 'allow', '        ')}${ruleText('rest', 'any', 'any', null, 'drop', '        ')}`
}

function tenantText(tenant: number, rules: number): string {
  const groups = range(appsPerTenant).flatMap((app) =>
    tiers.map((tier) => `      ${tier}-${app}: {labels: {app: app-${app}, tier: ${tier}}}\n`),
  )
  const lines = range(rules).map((index) => {
    const app = index % appsPerTenant
    const kind = Math.floor(index / appsPerTenant)
    const name = `rule-${index}`
    if (kind === 0) return ruleText(name, 'any', `web-${app}`, 'http', 'allow')
    if (kind === 1) return ruleText(name, `web-${app}`, `app-${app}`, 'api', 'allow')
    if (kind === 2) return ruleText(name, `app-${app}`, `db-${app}`, 'postgres', 'allow')
    if (kind === 3) return ruleText(name, 'office', `[web-${app}, app-${app}, db-${app}]`, 'ssh', 'allow')
    if (kind === 4) return ruleText(name, 'staging', `db-${app}`, null, 'drop')
    const port = 9000 + tenant * 10 + kind
    return ruleText(
      name,
      `${tiers[kind % 3] ?? 'web'}-${app}`,
      `${tiers[(kind + 1) % 3] ?? 'db'}-${(app + kind) % appsPerTenant}`,
      `{tcp: [${port}]}`,
      'allow',
    )
  })
  return `  tenant-${tenant}:
    groups:
${groups.join('')}      staging: {labels: {env: staging}}
      office: {networks: [203.0.${tenant}.0/24]}
    services:
      http: {tcp: [80, 443]}
      api: {tcp: [8000-8100]}
      postgres: {tcp: [5432]}
      ssh: {tcp: [22]}
    policies:
      - policy: main
        rules:
${lines.join('')}`
}

function ruleText(
  name: string,
  from: string,
  to: string,
  service: string | null,
  action: string,
  indent = '          ',
): string {
  const fields = [
    `name: ${name}`,
    `from: ${from}`,
    `to: ${to}`,
    ...(service === null ? [] : [`service: ${service}`]),
    `action: ${action}`,
  ]
  return fields.map((field, index) => `${indent}${index === 0 ? '- ' : '  '}${field}\n`).join('')
}

/** One VM an endpoint; v4 and v6 each. */
export function makeInventory(size: FleetSize): Inventory {
  const hosts = range(size.hosts).map((host) => ({ name: must(parseHostName(`host-${host}`)) }))
  const vms = range(size.endpoints).map((index): Vm => {
    const hex = index.toString(16).padStart(6, '0')
    const uuid = must(parseVmUuid(`00000000-0000-4000-8000-000000${hex}`))
    const mac = must(parseMac(`52:54:00:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4)}`))
    const tenant = index % size.tenants
    const member = Math.floor(index / size.tenants)
    const texts = [
      `10.${tenant}.${member >> 8}.${member & 255}`,
      `fd00:${tenant.toString(16)}::${member.toString(16)}:1`,
    ]
    // spreads every tenant over all hosts: the hard case, since each host then needs nearly every tenant's rules
    const mixed = Math.imul(index + 1, 0x9e37_79b1) >>> 0
    const host = hosts[Math.floor((mixed / 2 ** 32) * size.hosts)]
    const labels = {
      name: `vm-${index}`,
      app: `app-${member % appsPerTenant}`,
      tier: tiers[Math.floor(member / appsPerTenant) % 3] ?? 'web',
      env: member % 10 === 0 ? 'staging' : 'production',
      owner: `team-${member % 17}`,
    }
    const addresses = texts.map((text) => must(parseAddress(text)))
    return {
      uuid,
      name: `vm-${index}`,
      host: must(host?.name ?? null),
      tenant: must(parseTenantName(`tenant-${tenant}`)),
      labels,
      endpoints: [{ id: toEndpointId(uuid, mac), mac, addresses }],
    }
  })
  return { hosts, vms }
}

function range(length: number): readonly number[] {
  return Array.from({ length }, (_, index) => index)
}

function must<T>(value: T | null): T {
  if (value === null) throw new Error('the made-up fleet is malformed')
  return value
}
