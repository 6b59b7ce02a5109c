import { expect, test } from 'vitest'

import { allowedServices, makeEndpoints, senderEndpoint } from '../endpoints.ts'
import { ipset } from './ipset.ts'
import { neutron } from './neutron.ts'
import { nft } from './nft.ts'
import { nwfilter } from './nwfilter.ts'
import { proxmox } from './proxmox.ts'

const endpoints = makeEndpoints(10)

test('the two measured endpoints stand in the middle of all, each endpoint once', () => {
  expect(endpoints.map((endpoint) => endpoint.number)).toEqual([3, 4, 5, 6, 1, 2, 7, 8, 9, 10])
  expect(makeEndpoints(10_000).length).toBe(10_000)
  expect(new Set(makeEndpoints(10_000).map((endpoint) => endpoint.address)).size).toBe(10_000)
})

test.each([proxmox, neutron, nwfilter, ipset, nft])(
  'the shape $name holds four allow rules for each endpoint',
  (shape) => {
    const text = shape
      .render(endpoints)
      .map((step) => step.input)
      .join('\n')
    const perEndpoint = endpoints.map(
      ({ device, address }) =>
        text.split('\n').filter((line) => {
          const named = new RegExp(`(?:${device}|${address.replaceAll('.', '\\.')})(?!\\d)`).test(line)
          return named && allowedServices.some(({ port }) => new RegExp(`\\b${port}\\b`).test(line))
        }).length,
    )
    // where rules name their source by address, the sender stands in every endpoint's rules
    const sender = shape === nft ? allowedServices.length : allowedServices.length * endpoints.length
    expect(perEndpoint).toEqual(
      endpoints.map((endpoint) => (endpoint === senderEndpoint ? sender : allowedServices.length)),
    )
  },
)
