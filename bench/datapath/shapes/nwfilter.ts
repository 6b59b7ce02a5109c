/**
 * libvirt's nwfilter: iptables chains dispatched by physdev for addresses and state, and an ebtables chain per VM that checks MAC, IP and ARP source
 * before the bridge decides.
 */
import { allowedServices, senderEndpoint, type BenchEndpoint } from '../endpoints.ts'
import { iptablesRestore, type LoadStep, type PeerShape } from './peer-shape.ts'

export const nwfilter: PeerShape = {
  name: 'nwfilter',
  render: (endpoints) => [renderIptables(endpoints), renderEbtables(endpoints)],
}

function renderIptables(endpoints: readonly BenchEndpoint[]): LoadStep {
  const chains = ['libvirt-in', 'libvirt-out', 'libvirt-in-post']
  const head = chains.map((chain) => `-A FORWARD -j ${chain}`)
  const rules = endpoints.flatMap(({ device }) => [
    `-A libvirt-in -m physdev --physdev-in ${device} -g FI-${device}`,
    `-A libvirt-out -m physdev --physdev-is-bridged --physdev-out ${device} -g FO-${device}`,
    `-A libvirt-in-post -m physdev --physdev-in ${device} -j ACCEPT`,
    ...allowedServices.map(
      ({ protocol, port }) =>
        `-A FO-${device} -s ${senderEndpoint.address} -p ${protocol} --dport ${port} ` +
        '-m conntrack --ctstate NEW,ESTABLISHED -m conntrack --ctdir ORIGINAL -j RETURN',
    ),
    `-A FO-${device} -m conntrack --ctstate ESTABLISHED -m conntrack --ctdir REPLY -j RETURN`,
    `-A FO-${device} -j DROP`,
    `-A FI-${device} -m conntrack --ctstate ESTABLISHED -j RETURN`,
    `-A FI-${device} -j RETURN`,
  ])
  const own = endpoints.flatMap(({ device }) => [`FI-${device}`, `FO-${device}`])
  return iptablesRestore([...chains, ...own], [...head, ...rules])
}

function renderEbtables(endpoints: readonly BenchEndpoint[]): LoadStep {
  const chains = endpoints.flatMap(({ device }) => [`:libvirt-I-${device} ACCEPT`, `:I-${device}-mac ACCEPT`])
  const rules = endpoints.flatMap(({ device, mac, address }) => [
    `-A PREROUTING -i ${device} -j libvirt-I-${device}`,
    `-A libvirt-I-${device} -j I-${device}-mac`,
    `-A libvirt-I-${device} -p IPv4 --ip-src ${address} -j ACCEPT`,
    `-A libvirt-I-${device} -p ARP --arp-mac-src ${mac} --arp-ip-src ${address} -j ACCEPT`,
    `-A libvirt-I-${device} -j DROP`,
    `-A I-${device}-mac -s ${mac} -j RETURN`,
    `-A I-${device}-mac -j DROP`,
  ])
  const builtin = ['*nat', ':PREROUTING ACCEPT', ':OUTPUT ACCEPT', ':POSTROUTING ACCEPT']
  return { file: 'ebtables-nft-restore', args: [], input: [...builtin, ...chains, ...rules, ''].join('\n') }
}
