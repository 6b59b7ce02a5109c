/**
 * Neutron's iptables hybrid driver: every packet, established or not, walks two lists of physdev rules, each with two rules per port.
 * Kinder than the real thing: the bridge per port and the conntrack zone rules in the raw table are left out.
 */
import { allowedServices, senderEndpoint } from '../endpoints.ts'
import { iptablesRestore, type PeerShape } from './peer-shape.ts'

const established = '-m conntrack --ctstate RELATED,ESTABLISHED'

export const neutron: PeerShape = {
  name: 'neutron',
  render: (endpoints) => {
    const chainsOf = (device: string): readonly string[] => [`n-i${device}`, `n-o${device}`, `n-s${device}`]
    const rules = endpoints.flatMap(({ device, mac, address }) => [
      `-A n-FORWARD -m physdev --physdev-out ${device} --physdev-is-bridged -j n-sg-chain`,
      `-A n-FORWARD -m physdev --physdev-in ${device} --physdev-is-bridged -j n-sg-chain`,
      `-A n-sg-chain -m physdev --physdev-out ${device} --physdev-is-bridged -j n-i${device}`,
      `-A n-sg-chain -m physdev --physdev-in ${device} --physdev-is-bridged -j n-o${device}`,
      `-A n-s${device} -s ${address} -m mac --mac-source ${mac} -j RETURN`,
      `-A n-s${device} -j DROP`,
      `-A n-o${device} -j n-s${device}`,
      `-A n-o${device} ${established} -j RETURN`,
      `-A n-o${device} -j RETURN`,
      `-A n-i${device} ${established} -j RETURN`,
      ...allowedServices.map(
        ({ protocol, port }) => `-A n-i${device} -s ${senderEndpoint.address} -p ${protocol} --dport ${port} -j RETURN`,
      ),
      `-A n-i${device} -m conntrack --ctstate INVALID -j DROP`,
      `-A n-i${device} -j n-sg-fallback`,
    ])
    const chains = ['n-FORWARD', 'n-sg-chain', 'n-sg-fallback', ...endpoints.flatMap(({ device }) => chainsOf(device))]
    const head = ['-A FORWARD -j n-FORWARD', '-A n-sg-fallback -j DROP']
    return [iptablesRestore(chains, [...head, ...rules, '-A n-sg-chain -j ACCEPT'])]
  },
}
