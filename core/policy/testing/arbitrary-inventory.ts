/** Random inventories and packets over a small world, where things overlap. For tests only. */
import {
  type Address,
  type Endpoint,
  type Inventory,
  type Packet,
  parseAddress,
  parseHostName,
  parseMac,
  parseTenantName,
  parseVmUuid,
  toEndpointId,
  type Vm,
  type VmUuid,
} from '@hyperward/model'
import * as fc from 'fast-check'

export const worldTenants = ['acme', 'globex', 'initech'] as const
const outside = ['192.0.2.7', '198.51.100.1', '10.0.0.5', '10.9.9.9', '2001:db8::1', 'fd00::5', 'fe80::1'] as const

const labels = fc.record(
  { tier: fc.constantFrom('web', 'db', 'app'), color: fc.constantFrom('blue', 'red') },
  { requiredKeys: [] },
)
const segment = fc.option(fc.constantFrom('lan', 'dmz', 'lab net'), { freq: 3 })

function vm(index: number): fc.Arbitrary<Vm> {
  return fc
    .record({
      tenant: fc.option(fc.constantFrom(...worldTenants), { freq: 8 }),
      labels,
      host: fc.constantFrom('h1', 'h2'),
      os: fc.option(fc.constantFrom('debian 12', 'debian 11', 'windows 2022', 'Debian 12'), { freq: 4 }),
      segments: fc.tuple(segment, segment),
      second: fc.integer({ min: 0, max: 5 }),
      clash: fc.integer({ min: 0, max: 20 }),
    })
    .map(({ tenant, labels: some, host, os, segments, second, clash }) => {
      const hex = index.toString(16).padStart(2, '0')
      const uuid = must(parseVmUuid(`00000000-0000-4000-8000-0000000000${hex}`))
      // now and then one address is the next VM's too
      const number = clash === 0 ? index + 1 : index
      const endpoints = [endpoint(uuid, `52:54:00:00:00:${hex}`, number, segments[0])]
      if (second === 0) endpoints.push(endpoint(uuid, `52:54:00:00:01:${hex}`, index + 16, segments[1]))
      const labelEntries = Object.entries(some).flatMap(([key, value]) =>
        value === undefined ? [] : [[key, value] as const],
      )
      return {
        uuid,
        name: `vm-${index}`,
        host: must(parseHostName(host)),
        tenant: tenant === null ? null : must(parseTenantName(tenant)),
        labels: Object.fromEntries(labelEntries),
        ...(os === null ? {} : { os }),
        endpoints,
      }
    })
}

function endpoint(uuid: VmUuid, macText: string, number: number, segmentName: string | null): Endpoint {
  const mac = must(parseMac(macText))
  const addresses = [`10.0.0.${number}`, `fd00::${number.toString(16)}`].map((text) => must(parseAddress(text)))
  return { id: toEndpointId(uuid, mac), mac, addresses, ...(segmentName === null ? {} : { segment: segmentName }) }
}

export const arbitraryInventory: fc.Arbitrary<Inventory> = fc
  .integer({ min: 1, max: 9 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => vm(index + 1))))
  .map((vms) => ({ hosts: [{ name: must(parseHostName('h1')) }, { name: must(parseHostName('h2')) }], vms }))

/** Mostly first endpoints; second ones are rare in an inventory. */
const number = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 10 }) },
  { weight: 1, arbitrary: fc.integer({ min: 17, max: 25 }) },
)

const address: fc.Arbitrary<Address> = fc.oneof(
  number.map((one) => must(parseAddress(`10.0.0.${one}`))),
  number.map((one) => must(parseAddress(`fd00::${one.toString(16)}`))),
  fc.integer({ min: 1, max: 10 }).map((one) => must(parseAddress(`fe80::5054:ff:fe00:${one.toString(16)}`))),
  fc.constantFrom(...outside).map((text) => must(parseAddress(text))),
)

const protocolAndPort = fc.constantFrom(
  ...[6, 17, 132].flatMap((protocol) =>
    [0, 53, 79, 80, 81, 443, 1023, 1024, 65_535].map((port) => ({ protocol, port })),
  ),
  ...[0, 8, 128, 255].flatMap((port) => [
    { protocol: 1, port },
    { protocol: 58, port },
  ]),
  { protocol: 47 },
  { protocol: 50 },
)

export const arbitraryPacket: fc.Arbitrary<Packet> = fc
  .record({ source: address, destination: address, rest: protocolAndPort })
  .map(({ source, destination, rest }) => ({ source, destination, ...rest }))

function must<T>(value: T | null): T {
  if (value === null) throw new Error('the test world is malformed')
  return value
}
