import { expect, test } from 'vitest'

import { createJudge, importErrors, importTexts } from '../testing/import-policy.ts'

const project = '0123456789abcdef0123456789abcdef'
const vms = [
  {
    name: 'web',
    tenant: project,
    labels: { 'security-group.web-server': 'member' },
    addresses: ['10.0.0.5', 'fd00::5'],
  },
  { name: 'db', tenant: project, labels: { 'security-group.db': 'member' }, addresses: ['10.0.0.6', 'fd00::6'] },
]

type Rule = Readonly<Record<string, unknown>>
const rule = (fields: Rule): Rule => ({ id: `rule-${JSON.stringify(fields).length}`, direction: 'ingress', ethertype: 'IPv4', protocol: null, port_range_min: null, port_range_max: null, remote_group_id: null, remote_ip_prefix: null, ...fields }) // prettier-ignore
const groups = (web: readonly Rule[], db: readonly Rule[] = [], more: Rule = {}): Record<string, string> => ({
  'groups.json': JSON.stringify(
    { security_groups: [
      { id: 'g1', name: 'web server', project_id: project, stateful: true, security_group_rules: web },
      { id: 'g2', name: 'db', project_id: project, security_group_rules: db, ...more },
    ] }, null, 1), // prettier-ignore
})
const egress = ['IPv4', 'IPv6'].map((ethertype) => rule({ direction: 'egress', ethertype }))

test('a security group: VMs with its label, its rules, and nothing else', () => {
  const { text, told } = importTexts('openstack', groups(
    [...egress, rule({ protocol: 'tcp', port_range_min: 443, port_range_max: 443, remote_ip_prefix: '192.0.2.0/24' }), rule({ protocol: '6', port_range_min: 8000, port_range_max: 8010, ethertype: 'IPv6' })],
    [rule({ protocol: 'tcp', port_range_min: 5432, port_range_max: 5432, remote_group_id: 'g1' }), rule({ protocol: 'icmp', port_range_min: 8 })],
  )) // prettier-ignore
  const judge = createJudge(text, vms)
  expect([judge(['192.0.2.9', '10.0.0.5', 'tcp/443']), judge(['192.0.3.9', '10.0.0.5', 'tcp/443'])]).toEqual([
    'allow',
    'drop',
  ])
  expect([judge(['2001:db8::1', 'fd00::5', 'tcp/8010']), judge(['10.1.1.1', '10.0.0.5', 'tcp/8010'])]).toEqual([
    'allow',
    'drop',
  ])
  // by group and family: the rule is for IPv4 alone
  expect([
    judge(['10.0.0.5', '10.0.0.6', 'tcp/5432']),
    judge(['fd00::5', 'fd00::6', 'tcp/5432']),
    judge(['10.1.1.1', '10.0.0.6', 'tcp/5432']),
  ]).toEqual(['allow', 'drop', 'drop'])
  expect([judge(['10.0.0.5', '192.0.2.1', '47']), judge(['10.0.0.6', '192.0.2.1', 'udp/53'])]).toEqual([
    'allow',
    'drop',
  ])
  expect(judge(['10.1.1.1', '10.0.0.6', 'icmp/8'])).toBe('allow')
  expect(told).toEqual([])
  // the same rule of both families is one line
  expect(text.match(/egress-all/g)).toHaveLength(1)
})

test('a stateless group lets no answers through by itself', () => {
  const { text } = importTexts(
    'openstack',
    groups([], [rule({ protocol: 'udp', port_range_min: 53, port_range_max: 53 })], { stateful: false }),
  )
  expect(createJudge(text, vms)(['10.1.1.1', '10.0.0.6', 'udp/53'])).toBe('allow-stateless')
})

test.each([
  ['an ICMP code', rule({ protocol: 'icmp', port_range_min: 8, port_range_max: 0 })],
  ['a group that was not given', rule({ remote_group_id: 'nowhere' })],
  ['an address group', rule({ remote_address_group_id: 'a1' })],
  ['ports of a protocol without', rule({ protocol: 'udplite', port_range_min: 1, port_range_max: 2 })],
  ['an extension header', rule({ protocol: 'ipv6-route', ethertype: 'IPv6' })],
  ['a prefix of the other family', rule({ remote_ip_prefix: '2001:db8::/32' })],
  ['a protocol nobody knows', rule({ protocol: 'nonsense' })],
])('%s: the rule is left out and told', (_, one) => {
  const { text, told } = importTexts('openstack', groups([one]))
  expect(told).toEqual([expect.stringMatching(/^left-out:/)])
  expect(text).toContain('rules: []')
})

test('a group of another project cannot be named, nor one that was read without its rules', () => {
  const { told } = importTexts('openstack', groups([rule({ remote_group_id: 'g2' })], [], { project_id: 'other' }))
  expect(told).toEqual([expect.stringMatching(/^left-out:/)])
  // `openstack security group list` has no rules: no rules there does not mean none
  expect(importErrors('openstack', { a: '[{"ID": "g1", "Name": "web"}]' })).toEqual(['import.wrong-kind'])
  expect(importErrors('openstack', { a: '[{"id": "g1", "name": "web"}]' })).toEqual(['import.wrong-kind'])
})

test('one group as the client shows it', () => {
  const { text } = importTexts('openstack', {
    a: JSON.stringify({ id: 'g1', name: 'any', rules: [rule({ protocol: 'tcp' })] }),
  })
  expect(text).toContain('security-group.any-2')
})

test.each([
  ['a port out of range', rule({ protocol: 'tcp', port_range_min: 1, port_range_max: 70_000 })],
  ['a direction nobody knows', rule({ direction: 'both' })],
  ['a prefix that is a number', rule({ remote_ip_prefix: {} })],
])('%s is refused', (_, one) => {
  expect(importErrors('openstack', groups([one]))).toEqual(['import.malformed'])
})
