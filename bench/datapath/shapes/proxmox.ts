/**
 * pve-firewall's iptables layout: established first, then one physdev rule per VM and direction in two lists that are walked from the top.
 * Kinder than the real thing: the bridge that Proxmox puts between a firewalled VM and vmbr0 (two more bridges and veth pairs on the way) is left out.
 */
import { allowedServices, senderEndpoint } from '../endpoints.ts'
import { iptablesRestore, type PeerShape } from './peer-shape.ts'

export const proxmox: PeerShape = {
  name: 'proxmox',
  render: (endpoints) => {
    const bridged = '-m physdev --physdev-is-bridged'
    const chains = ['PVEFW-FORWARD', 'PVEFW-FWBR-IN', 'PVEFW-FWBR-OUT', 'PVEFW-SET-ACCEPT-MARK']
    const head = [
      '-A FORWARD -j PVEFW-FORWARD',
      '-A PVEFW-FORWARD -m conntrack --ctstate INVALID -j DROP',
      '-A PVEFW-FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      `-A PVEFW-FORWARD ${bridged} -j PVEFW-FWBR-OUT`,
      `-A PVEFW-FORWARD ${bridged} -j PVEFW-FWBR-IN`,
      '-A PVEFW-SET-ACCEPT-MARK -j MARK --set-xmark 0x80000000/0x80000000',
    ]
    const rules = endpoints.flatMap(({ device, mac, address }) => [
      `-A PVEFW-FWBR-OUT ${bridged} --physdev-in ${device} -j ${device}-OUT`,
      `-A PVEFW-FWBR-IN ${bridged} --physdev-out ${device} -j ${device}-IN`,
      `-A ${device}-OUT -m mac ! --mac-source ${mac} -j DROP`,
      `-A ${device}-OUT ! -s ${address} -j DROP`,
      `-A ${device}-OUT -j MARK --set-xmark 0x0/0x80000000`,
      `-A ${device}-OUT -g PVEFW-SET-ACCEPT-MARK`,
      ...allowedServices.map(
        ({ protocol, port }) => `-A ${device}-IN -s ${senderEndpoint.address} -p ${protocol} --dport ${port} -j ACCEPT`,
      ),
      `-A ${device}-IN -j DROP`,
    ])
    const own = endpoints.flatMap(({ device }) => [`${device}-IN`, `${device}-OUT`])
    return [iptablesRestore([...chains, ...own], [...head, ...rules])]
  },
}
