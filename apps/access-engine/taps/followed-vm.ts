import type { Address, EndpointId, Mac, VmUuid } from '@hyperward/model'

/** A running VM as libvirt tells it, with what its metadata says of it. */
export interface FollowedVm {
  readonly uuid: VmUuid
  readonly name: string
  readonly tenant: string | null
  readonly labels: Readonly<Record<string, string>>
  /** As its description tells it; null = it does not. */
  readonly os: string | null
  readonly nics: readonly FollowedNic[]
  /** What is wrong with its metadata, in sentences. */
  readonly problems: readonly string[]
  /** Its description could not be read: it has no nics here, which does not mean that the VM has none. */
  readonly unreadable: boolean
}

export interface FollowedNic {
  readonly endpoint: EndpointId
  readonly mac: Mac
  readonly addresses: readonly Address[]
  /** Virtual network it is plugged into; null = not known. */
  readonly segment: string | null
  /** The tap's name; null when libvirt names none. */
  readonly device: string | null
  /** Why nothing of ours can stand between this interface and the network; null = it is a tap. */
  readonly unguardable: string | null
}
