import { expect, test } from 'vitest'

import { createJudge, importErrors, importTexts } from '../testing/import-policy.ts'
import { findMacro } from './macros.ts'

const vms = [{ name: 'web', labels: { vmid: '100' }, addresses: ['10.0.0.5', 'fd00::5'] }]

const cluster = `[OPTIONS]
enable: 1
[ALIASES]
Office 203.0.113.0/24 # main office
[IPSET blacklist]
198.51.100.7
[IPSET mgmt]
10.0.0.0/8
!10.9.0.0/16
[group web]
IN Web(ACCEPT) -log info
IN DROP -p tcp -dport 8080
[RULES]
IN SSH(ACCEPT) -source office
`
const guest = (rules: string, options = 'enable: 1'): Record<string, string> => ({
  'cluster.fw': cluster,
  '100.fw': `[OPTIONS]\n${options}\n[RULES]\n${rules}\n`,
})

test('a guest: its rules in order, security groups in place, the default policies last', () => {
  const { text, hints } = importTexts(
    'proxmox',
    guest(
      'GROUP web\nIN SSH(ACCEPT) -source +mgmt\nIN ACCEPT -source office -p tcp -dport 8000:9000\nOUT REJECT -dest dc/office',
    ),
  )
  const judge = createJudge(text, vms)
  const from = (source: string, service: string): string => judge([source, '10.0.0.5', service])
  expect([
    from('192.0.2.1', 'tcp/443'),
    judge(['2001:db8::1', 'fd00::5', 'tcp/80']),
    from('192.0.2.1', 'tcp/81'),
  ]).toEqual(['allow', 'allow', 'drop'])
  expect([from('10.1.1.1', 'tcp/22'), from('10.9.1.1', 'tcp/22')]).toEqual(['allow', 'drop'])
  expect([from('203.0.113.9', 'tcp/8000'), from('203.0.113.9', 'tcp/8080')]).toEqual(['allow', 'drop'])
  // dropped for every guest before its own rules
  expect(from('198.51.100.7', 'tcp/443')).toBe('drop')
  expect([judge(['10.0.0.5', '203.0.113.1', 'tcp/1']), judge(['10.0.0.5', '192.0.2.1', 'tcp/1'])]).toEqual([
    'reject',
    'allow',
  ])
  expect(hints).toEqual([{ tenant: 'imported', label: 'vmid', value: '100', of: 'VM 100' }])
})

test('a guest’s own alias goes before the cluster’s of the same name', () => {
  const files = {
    'cluster.fw': cluster,
    '100.fw':
      '[OPTIONS]\nenable: 1\n[ALIASES]\noffice 192.0.2.0/24\n[RULES]\nIN ACCEPT -source office\nIN ACCEPT -source dc/office -p udp\n',
  }
  const judge = createJudge(importTexts('proxmox', files).text, vms)
  expect(['192.0.2.1', '203.0.113.1'].map((from) => judge([from, '10.0.0.5', 'tcp/1']))).toEqual(['allow', 'drop'])
  expect(judge(['203.0.113.1', '10.0.0.5', 'udp/1'])).toBe('allow')
})

test.each([
  ['-p udp -dport 53 -sport 53', 'udp/53'],
  ['-i net0', 'tcp/1'],
  ['-source nowhere', 'tcp/1'],
  ['-p tcp -dport ssh', 'tcp/22'],
  ['-p icmp -dport fragmentation-needed', 'icmp/3'],
])('%s cannot be said: an accept is left out, a drop holds for more', (condition, service) => {
  const accept = importTexts('proxmox', guest(`IN ACCEPT ${condition}`))
  const drop = importTexts('proxmox', guest(`IN DROP ${condition}`, 'enable: 1\npolicy_in: ACCEPT'))
  expect([accept.told.join(), drop.told.join()]).toEqual([
    expect.stringContaining('left-out:4'),
    expect.stringContaining('broader:5'),
  ])
  for (const { text } of [accept, drop]) expect(createJudge(text, vms)(['192.0.2.1', '10.0.0.5', service])).toBe('drop')
})

test('a group or macro that is not there never opens anything', () => {
  const { text, told } = importTexts('proxmox', guest('GROUP nowhere\nIN ACCEPT -p tcp'))
  expect(createJudge(text, vms)(['192.0.2.1', '10.0.0.5', 'tcp/1'])).toBe('drop')
  expect(told).toContain('closed:4')
  const macro = importTexts('proxmox', guest('IN Nonsense(ACCEPT)\nIN Nonsense(DROP)\nIN ACCEPT'))
  expect(createJudge(macro.text, vms)(['192.0.2.1', '10.0.0.5', 'tcp/1'])).toBe('drop')
})

test('what protects hypervisors, what was off, and options without an equal are told', () => {
  const { told } = importTexts('proxmox', guest('|IN ACCEPT', 'enable: 0\nipfilter: 0\nradv: 1\nmacfilter: 1'))
  expect(told).toEqual(['enforced-now:2', 'ignored:3', 'ignored:4', 'disabled:7', 'ignored:14'])
})

test('the file’s name says whose it is', () => {
  expect(importErrors('proxmox', { 'rules.txt': '[RULES]\nIN ACCEPT\n' })).toEqual(['import.wrong-kind'])
  expect(importErrors('proxmox', { '100.fw': 'hello\n' })).toEqual(['import.wrong-kind'])
  expect(importErrors('proxmox', { '100.fw': '[RULES]\nIN ALLOW\n' })).toEqual(['import.malformed'])
})

test('macros: every entry is read, names in any case', () => {
  expect(findMacro('smb')).toHaveLength(4)
  expect(findMacro('ipsec')).toEqual([{ protocol: 'udp', dport: '500', sport: '500' }, { protocol: '50' }])
  expect(findMacro('constructor')).toBe(null)
})
