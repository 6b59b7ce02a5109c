import { expect, test } from 'vitest'

import { createJudge, importErrors, importTexts } from '../testing/import-policy.ts'

const vms = [{ name: 'web', labels: { nwfilter: 'web' }, addresses: ['10.0.0.5', 'fd00::5'] }]
const filter = (body: string, name = 'web', more = "chain='root'"): string =>
  `<filter name='${name}' ${more}>\n${body}\n</filter>`
const dropRest =
  "<rule action='drop' direction='inout' priority='1000'><all/></rule><rule action='drop' direction='inout' priority='1000'><all-ipv6/></rule>"

test('rules by priority, both families, and what no rule refuses passes', () => {
  const open = createJudge(
    importTexts('nwfilter', { a: filter("<rule action='drop' direction='in'><tcp dstportstart='25'/></rule>") }).text,
    vms,
  )
  expect([
    open(['10.1.1.1', '10.0.0.5', 'tcp/25']),
    open(['10.1.1.1', '10.0.0.5', 'tcp/80']),
    open(['fd00::9', 'fd00::5', 'tcp/25']),
  ]).toEqual(['drop', 'allow', 'allow'])
  const body = `<rule action='accept' direction='in' priority='500'><tcp srcipaddr='10.1.0.0' srcipmask='16' dstportstart='80' dstportend='90'/></rule>
<rule action='drop' direction='in' priority='100'><tcp srcipaddr='10.1.1.0' srcipmask='255.255.255.0'/></rule>
<rule action='accept' direction='out'><udp-ipv6 dstportstart='53'/></rule>${dropRest}`
  const judge = createJudge(importTexts('nwfilter', { a: filter(body) }).text, vms)
  expect(['10.1.2.1', '10.1.1.1', '10.2.1.1'].map((from) => judge([from, '10.0.0.5', 'tcp/85']))).toEqual([
    'allow',
    'drop',
    'drop',
  ])
  expect([judge(['fd00::5', '2001:db8::1', 'udp/53']), judge(['10.0.0.5', '192.0.2.1', 'udp/53'])]).toEqual([
    'allow',
    'drop',
  ])
})

test('a rule for both ways is read the other way round from the VM', () => {
  const judge = createJudge(
    importTexts('nwfilter', {
      a: filter(`<rule action='accept' direction='inout'><tcp srcipaddr='10.1.0.0' srcipmask='16'/></rule>${dropRest}`),
    }).text,
    vms,
  )
  expect([
    judge(['10.1.1.1', '10.0.0.5', 'tcp/1']),
    judge(['10.0.0.5', '10.1.1.1', 'tcp/1']),
    judge(['10.0.0.5', '10.2.1.1', 'tcp/1']),
  ]).toEqual(['allow', 'allow', 'drop'])
})

test('the Ethernet layer is asked before the IP layer, and both must let pass', () => {
  const body = `<rule action='drop' direction='in' priority='0'><ip srcipaddr='10.1.0.0' srcipmask='16'/></rule>
<rule action='accept' direction='in' priority='-10'><ip srcipaddr='10.1.1.0' srcipmask='24'/></rule>
<rule action='drop' direction='in'><tcp dstportstart='22'/></rule>`
  const judge = createJudge(importTexts('nwfilter', { a: filter(body) }).text, vms)
  expect(['10.1.1.1', '10.1.2.1', '10.2.1.1'].map((from) => judge([from, '10.0.0.5', 'tcp/80']))).toEqual([
    'allow',
    'drop',
    'allow',
  ])
  expect(['10.1.1.1', '10.2.1.1'].map((from) => judge([from, '10.0.0.5', 'tcp/22']))).toEqual(['drop', 'drop'])
})

test('clean-traffic, which every libvirt has: protection from forged addresses is always on, IPv6 does not pass', () => {
  const judge = createJudge(importTexts('nwfilter', { a: filter("<filterref filter='clean-traffic'/>") }).text, vms)
  expect([judge(['10.1.1.1', '10.0.0.5', 'tcp/1']), judge(['fd00::9', 'fd00::5', 'tcp/1'])]).toEqual(['allow', 'drop'])
})

test('references are followed with their parameters; a filter that was not given refuses everything', () => {
  const files = {
    'web.xml': filter(
      "<filterref filter='ports'><parameter name='FROM' value='10.1.0.0/16'/><parameter name='FROM' value='10.3.0.0/16'/></filterref>",
    ),
    'ports.xml': filter(
      `<rule action='accept' direction='in'><tcp srcipaddr='$FROM' dstportstart='80'/></rule><rule action='accept' direction='out'><all srcipaddr='$IP'/></rule>${dropRest}`,
      'ports',
    ),
  }
  const { text, hints } = importTexts('nwfilter', files)
  const judge = createJudge(text, vms)
  expect(['10.1.1.1', '10.3.1.1', '10.2.1.1'].map((from) => judge([from, '10.0.0.5', 'tcp/80']))).toEqual([
    'allow',
    'allow',
    'drop',
  ])
  expect(judge(['10.0.0.5', '192.0.2.1', 'tcp/1'])).toBe('allow')
  expect(hints.map(({ value }) => value)).toEqual(['web'])
  const lost = importTexts('nwfilter', { a: filter("<filterref filter='nowhere'/>") })
  expect([createJudge(lost.text, vms)(['10.1.1.1', '10.0.0.5', 'tcp/1']), lost.told]).toEqual(['drop', ['closed:2']])
})

test.each([
  ['a source port', "<tcp srcportstart='53'/>"],
  ['a MAC address of others', "<all srcmacaddr='52:54:00:00:00:01'/>"],
  ['a variable without a value', "<tcp srcipaddr='$WHO'/>"],
  ['an ICMP code', "<icmp type='3' code='4'/>"],
  ['a count of connections', "<tcp connlimit-above='3'/>"],
  ['a dscp', "<tcp dscp='3'/>"],
])('%s: an accept is left out, a drop holds for more', (_, condition) => {
  const accept = importTexts('nwfilter', {
    a: filter(`<rule action='accept' direction='in'>${condition}</rule>${dropRest}`),
  })
  const drop = importTexts('nwfilter', { a: filter(`<rule action='drop' direction='in'>${condition}</rule>`) })
  expect([accept.told.join(), drop.told.join()]).toEqual([
    expect.stringContaining('left-out:2'),
    expect.stringContaining('broader:2'),
  ])
  const service = condition.includes('icmp') ? 'icmp/3' : 'tcp/80'
  for (const { text } of [accept, drop]) expect(createJudge(text, vms)(['10.1.1.1', '10.0.0.5', service])).toBe('drop')
})

test('answers that a refusal of the other way stops are refused from their beginning', () => {
  const { text, told } = importTexts('nwfilter', {
    a: filter("<rule action='drop' direction='out'><all dstipaddr='10.1.0.0' dstipmask='16'/></rule>"),
  })
  expect(createJudge(text, vms)(['10.1.1.1', '10.0.0.5', 'tcp/80'])).toBe('drop')
  expect(told).toEqual(['reply-refused:2'])
})

test('what is no filter, refers in a circle, or is there twice is refused', () => {
  expect(importErrors('nwfilter', { a: '<domain/>' })).toEqual(['import.wrong-kind'])
  expect(
    importErrors('nwfilter', { a: filter("<filterref filter='b'/>", 'a'), b: filter("<filterref filter='a'/>", 'b') }),
  ).toEqual(['import.chain-loop'])
  expect(importErrors('nwfilter', { a: filter(''), b: filter('') })).toEqual(['import.same-name'])
  expect(importErrors('nwfilter', { a: filter("<rule action='perhaps' direction='in'/>") })).toEqual([
    'import.malformed',
  ])
})
