/** iptables with hash sets instead of lists: flat, but one set for every endpoint, and a port identity that is an address only. */
import { allowedServices, senderEndpoint, type BenchEndpoint } from '../endpoints.ts'
import { iptablesRestore, type LoadStep, type PeerShape } from './peer-shape.ts'

export const ipset: PeerShape = {
  name: 'ipset',
  render: (endpoints) => [
    renderSets(endpoints),
    iptablesRestore(
      [],
      [
        '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
        '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
        '-A FORWARD -m set ! --match-set sources src -j DROP',
        '-A FORWARD -m set --match-set allowed src,dst,dst -j ACCEPT',
        '-A FORWARD -j DROP',
      ],
    ),
  ],
}

function renderSets(endpoints: readonly BenchEndpoint[]): LoadStep {
  const size = Math.max(1024, endpoints.length * allowedServices.length)
  const lines = [
    `create sources hash:ip hashsize ${size} maxelem 1000000`,
    `create allowed hash:ip,port,ip hashsize ${size} maxelem 1000000`,
    ...endpoints.flatMap(({ address }) => [
      `add sources ${address}`,
      ...allowedServices.map(
        ({ protocol, port }) => `add allowed ${senderEndpoint.address},${protocol}:${port},${address}`,
      ),
    ]),
    '',
  ]
  return { file: 'ipset', args: ['restore'], input: lines.join('\n') }
}
