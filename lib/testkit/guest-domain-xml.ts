import type { GuestImage } from './guest-image.ts'

export interface GuestOptions {
  readonly name: string
  readonly uuid: string
  readonly tenant: string
  readonly labels: Readonly<Record<string, string>>
  readonly mac: string
  /** With prefix length; the guest configures them, the metadata declares them. */
  readonly addresses: readonly string[]
  /** Default 192 (some 120 MB stay free). */
  readonly memoryMb?: number
  /** Default br0. */
  readonly bridge?: string
  /** Flood these from the first instant, before anything else in the guest. */
  readonly early?: readonly { readonly address: string; readonly mac: string }[]
  /** The whole `<metadata>` element in place of the one made from tenant, labels and addresses ('' = none). */
  readonly metadataXml?: string
}

/** A TCG guest on a bridge. `vmDir` holds its console log (`<name>.log`) and the agent's socket (`<name>.sock`). */
export function guestDomainXml(options: GuestOptions, image: GuestImage, vmDir: string): string {
  const { name, uuid, mac, addresses } = options
  const early = (options.early ?? []).map((one) => `${one.address}@${one.mac}`).join(',')
  const cmdline = [
    'console=ttyS0 panic=-1 quiet',
    `hw.name=${name}`,
    `hw.addr=${addresses.join(',')}`,
    ...(early === '' ? [] : [`hw.early=${early}`]),
  ].join(' ')
  return `<domain type='qemu'>
  <name>${escape(name)}</name>
  <uuid>${uuid}</uuid>
  ${options.metadataXml ?? guestMetadataXml(options)}
  <memory unit='MiB'>${options.memoryMb ?? 192}</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>
    <kernel>${escape(image.kernel)}</kernel>
    <initrd>${escape(image.initrd)}</initrd>
    <cmdline>${escape(cmdline)}</cmdline>
  </os>
  <features><acpi/><apic/><tcg><tb-cache unit='MiB'>64</tb-cache></tcg></features>
  <cpu mode='custom' match='exact'><model fallback='forbid'>qemu64</model></cpu>
  <on_poweroff>destroy</on_poweroff><on_reboot>destroy</on_reboot><on_crash>destroy</on_crash>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw'/><source file='${escape(image.root)}'/><target dev='vda' bus='virtio'/><readonly/><shareable/>
    </disk>
    <controller type='usb' model='none'/>
    <controller type='virtio-serial' index='0'/>
    <channel type='unix'>
      <source mode='bind' path='${escape(vmDir)}/${escape(name)}.sock'/><target type='virtio' name='org.hyperward.test.0'/>
    </channel>
    <serial type='file'><source path='${escape(vmDir)}/${escape(name)}.log'/><target port='0'/></serial>
    <interface type='bridge'>
      <mac address='${mac}'/><source bridge='${options.bridge ?? 'br0'}'/><model type='virtio'/><rom enabled='no'/>
    </interface>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <memballoon model='none'/>
  </devices>
</domain>`
}

/** Hyperward's block in a domain's metadata: tenant, labels, and the addresses each interface may use. */
export function guestMetadataXml(options: Pick<GuestOptions, 'tenant' | 'labels' | 'mac' | 'addresses'>): string {
  const labels = Object.entries(options.labels).map(
    ([key, value]) => `<hw:label key="${escape(key)}" value="${escape(value)}"/>`,
  )
  const addresses = options.addresses.map((one) => `<hw:address>${one.replace(/\/.*/, '')}</hw:address>`)
  return `<metadata><hw:vm xmlns:hw="https://hyperward.org/xmlns/vm/1" tenant="${escape(options.tenant)}">${labels.join('')}<hw:interface mac="${options.mac}">${addresses.join('')}</hw:interface></hw:vm></metadata>`
}

function escape(text: string): string {
  const entities: Readonly<Record<string, string>> = {
    '&': '&amp;',
    '<': '&lt;',
    '>': '&gt;',
    '"': '&quot;',
    "'": '&apos;',
  }
  return text.replaceAll(/[&<>"']/g, (character) => entities[character] ?? character)
}
