import { writeFileSync } from 'node:fs'
import { join } from 'node:path'

import { createGuestAgent, type GuestAgent } from './guest-agent.ts'
import { guestDomainXml, type GuestOptions } from './guest-domain-xml.ts'
import type { GuestImage } from './guest-image.ts'
import type { PseudoHost } from './pseudo-host.ts'

export interface Guest {
  readonly options: GuestOptions
  readonly host: PseudoHost
  readonly agent: GuestAgent
  /** Its tap on the host, as libvirt named it. */
  tap(): Promise<string>
  destroy(): Promise<void>
}

/** Defines and starts a guest and returns at once; `agent.ready()` waits for it to be up. */
export async function startGuest(host: PseudoHost, image: GuestImage, options: GuestOptions): Promise<Guest> {
  const vmDir = join(host.dir, 'vm')
  const xmlPath = join(vmDir, `${options.name}.xml`)
  writeFileSync(xmlPath, guestDomainXml(options, image, vmDir))
  await virshOk(host, 'define', xmlPath)
  await virshOk(host, 'start', options.name)
  return {
    options,
    host,
    agent: createGuestAgent(join(vmDir, `${options.name}.sock`)),
    tap: async () => {
      const out = await virshOk(host, 'domiflist', options.name)
      const tap = /^\s*(\S+)\s+bridge\s/m.exec(out)?.[1]
      if (tap === undefined) throw new Error(`${options.name} has no tap: ${out}`)
      return tap
    },
    destroy: async () => {
      await virshOk(host, 'destroy', options.name)
      await virshOk(host, 'undefine', options.name)
    },
  }
}

async function virshOk(host: PseudoHost, ...args: readonly string[]): Promise<string> {
  const result = await host.virsh(...args)
  if (result.code !== 0) throw new Error(`${host.name}: virsh ${args.join(' ')}: ${result.stderr.trim()}`)
  return result.stdout
}
