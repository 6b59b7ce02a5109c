import { parseAddress, parseMac } from '@hyperward/model'
import { expect, test } from 'vitest'

import { linkLocalAddress } from './link-local-address.ts'

test.each([
  ['52:54:00:12:34:56', 'fe80::5054:ff:fe12:3456'],
  ['02:00:00:00:00:00', 'fe80::ff:fe00:0'],
  ['00:00:00:00:00:01', 'fe80::200:ff:fe00:1'],
  ['02:0a:0b:0c:00:0d', 'fe80::a:bff:fe0c:d'],
  ['fe:ff:ff:ff:ff:ff', 'fe80::fcff:ffff:feff:ffff'],
])('the link-local address of %s is %s, in its one spelling', (mac, address) => {
  const found = linkLocalAddress(parseMac(mac) ?? expect.fail())
  expect(found).toBe(address)
  expect(parseAddress(found)).toBe(found)
})
