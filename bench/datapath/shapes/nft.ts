/**
 * The best that nftables does here: a chain per port at the device's ingress that checks the source and marks who it is, then one exact verdict map in
 * the inet forward hook (reached over bridge netfilter), behind the connection's state. Only devices that exist can be hooked, so only two port chains.
 */
import { allowedServices, receiverEndpoint, senderEndpoint, type BenchEndpoint } from '../endpoints.ts'
import type { PeerShape } from './peer-shape.ts'

export const nft: PeerShape = {
  name: 'nft',
  render: (endpoints) => {
    const elements = endpoints.flatMap(({ address }) =>
      allowedServices.map(
        ({ protocol, port }) => `${toMark(senderEndpoint)} . ${address} . ${protocol} . ${port} : accept`,
      ),
    )
    const input = `table netdev ports {
${[senderEndpoint, receiverEndpoint].map(renderPort).join('\n')}
}
table inet rules {
  map verdicts {
    typeof meta mark . ip daddr . ip protocol . th dport : verdict
    elements = { ${elements.join(',\n')} }
  }
  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state vmap { established : accept, related : accept, invalid : drop }
    tcp flags & (fin|syn|rst|ack) != syn drop
    meta mark . ip daddr . ip protocol . th dport vmap @verdicts
  }
}
`
    return [{ file: 'nft', args: ['-f', '-'], input }]
  },
}

function renderPort(endpoint: BenchEndpoint): string {
  const { device, mac, address } = endpoint
  return `  chain ${device} {
    type filter hook ingress device "${device}" priority 0; policy drop;
    meta mark set ${toMark(endpoint)}
    ether saddr ${mac} ip saddr ${address} accept
    ether saddr ${mac} arp saddr ether ${mac} arp saddr ip ${address} accept
  }`
}

function toMark(endpoint: BenchEndpoint): string {
  return `0x${(0x1_0000 + endpoint.number).toString(16)}`
}
