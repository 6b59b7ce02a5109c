export const importKinds = ['proxmox', 'nwfilter', 'openstack', 'iptables'] as const
export type ImportKind = (typeof importKinds)[number]

export interface ImportOptions {
  /** Who owns what comes out (OpenStack: of groups without a project). Default `imported`. */
  readonly tenant?: string
  /** iptables: what the machine is called; VMs get the label `firewall: NAME`. Default: the first file's name. */
  readonly name?: string
  /** iptables: whose files these are, a VM's own or a hypervisor's. Default: by the chains in use, refused when both kinds are. */
  readonly view?: 'guest' | 'host'
  /** Names of all network cards that the policy is about: conditions on them then hold, on others never. Default: not known. */
  readonly interfaces?: readonly string[]
}
