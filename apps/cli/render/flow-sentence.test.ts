import type { ApiFlow } from '@hyperward/protocol'
import { expect, test } from 'vitest'

import { createText } from '../text.ts'
import { toFlowSentence } from './flow-sentence.ts'

const names = new Map([
  ['10.20.0.11', 'acme/app-1'],
  ['10.20.0.12', 'acme/web-2'],
  ['10.20.0.31', 'globex/mail-1'],
])
const echo = { source: '10.20.0.12', destination: '10.20.0.11', protocol: 1, sourcePort: 0, destinationPort: 8 }
const drop: ApiFlow = {
  id: 1,
  at: '2026-01-01T00:00:00.000Z',
  host: 'kvm-1',
  kind: 'drop',
  endpoint: '00000000-0000-4000-8000-000000000003/52:54:00:00:00:03',
  vmName: 'mail-1',
  tenant: 'globex',
  direction: 'egress',
  action: 'drop',
  reason: 'source-address',
  rule: null,
  tuple: echo,
  sourceMac: '52:54:00:00:00:03',
  packets: 0,
  bytes: 0,
  suppressed: 0,
}
const tell = (flow: Partial<ApiFlow>, locale: 'en' | 'zh-CN' = 'en'): string =>
  toFlowSentence(createText(locale), { ...drop, ...flow }, names)

test('who forged an address is named beside whose address it was', () => {
  const sent = 'globex/mail-1 sent as acme/web-2 (10.20.0.12) → acme/app-1 icmp/echo-request'
  expect(tell({})).toBe(`${sent}: forged source address, dropped`)
  expect(tell({ suppressed: 4 })).toBe(`${sent}: forged source address, dropped (+4 like it)`)
  expect(tell({ reason: 'source-mac', sourceMac: '52:54:00:00:00:02' })).toBe(
    `${sent}: forged source MAC 52:54:00:00:00:02, dropped`,
  )
  expect(tell({}, 'zh-CN')).toBe(
    'globex/mail-1 冒充 acme/web-2 (10.20.0.12) → acme/app-1 icmp/echo-request：伪造的源地址，已丢弃',
  )
})

test('an address of nobody, or no address at all, still names the sender', () => {
  expect(
    tell({ tuple: { ...echo, source: 'fd00::99', destination: 'ff02::1', protocol: 58, destinationPort: 136 } }),
  ).toBe('globex/mail-1 sent as fd00::99 → ff02::1 icmpv6/nd-neighbor-advert: forged source address, dropped')
  expect(tell({ reason: 'arp-source', tuple: null })).toBe('globex/mail-1 dropped: forged ARP')
})

test('why a flow ended, and a protocol without a name, are told in the reader’s language', () => {
  const gre = { ...echo, source: '10.20.0.31', protocol: 47, destinationPort: 0 }
  const ended = {
    kind: 'flow-end',
    action: 'allow',
    reason: 'timeout',
    rule: 'tenant:acme/shop/gre',
    tuple: gre,
  } as const
  expect(tell(ended)).toBe(
    'globex/mail-1 → acme/app-1 protocol 47 ended (timed out), 0 packets, 0 B, allowed by acme / shop / gre',
  )
  expect(tell(ended, 'zh-CN')).toContain('globex/mail-1 → acme/app-1 协议 47 已结束（超时）')
})

test('the endpoint that reports is named by the report, not by who has its address now', () => {
  expect(tell({ reason: 'ip-options' })).toBe(
    'globex/mail-1 (10.20.0.12) → acme/app-1 icmp/echo-request dropped: IP options',
  )
  expect(tell({ reason: 'fragment', tuple: { ...echo, source: '10.20.0.31' } })).toBe(
    'globex/mail-1 → acme/app-1 icmp/echo-request dropped: fragment',
  )
  const closed = { direction: 'ingress', vmName: 'app-1', tenant: 'acme', reason: 'no-connection' } as const
  expect(tell(closed)).toBe('acme/web-2 → acme/app-1 icmp/echo-request dropped: belongs to no connection')
})

test('what a rule in monitor mode would have done names the rule and the connection', () => {
  const told = {
    kind: 'monitor',
    rule: 'tenant:acme/shop/no-mail',
    reason: null,
    tuple: { ...echo, protocol: 6, destinationPort: 443 },
  } as const
  expect(tell({ ...told, action: 'drop' })).toBe(
    'acme / shop / no-mail in monitor mode would have dropped globex/mail-1 (10.20.0.12) → acme/app-1 tcp/443',
  )
  expect(tell({ ...told, action: 'reject' }, 'zh-CN')).toBe(
    '只观察的 acme / shop / no-mail 本会拒绝 globex/mail-1 (10.20.0.12) → acme/app-1 tcp/443',
  )
})

test('a drop for want of a gateway names the rule that asks for inspection', () => {
  expect(tell({ reason: 'no-gateway', rule: 'tenant:acme/shop/web', tuple: { ...echo, source: '10.20.0.31' } })).toBe(
    'globex/mail-1 → acme/app-1 icmp/echo-request dropped by acme / shop / web: it is to be inspected, and no gateway is attached',
  )
})
