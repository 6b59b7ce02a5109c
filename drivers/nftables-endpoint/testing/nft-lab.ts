/** For tests: a host with a bridge, namespace endpoints on it, and the driver acting in it. */
import { endpointId, enterNetns, ifindexOf, macOf, type LabEndpoint } from '@hyperward/datapath-testkit'
import { addHostNetns, addNamespaceEndpoint, createLab, type Lab } from '@hyperward/testkit'

import { createNftablesDriver, type NftablesDriver } from '../index.ts'

export interface NftLab {
  readonly lab: Lab
  readonly host: string
  readonly driver: NftablesDriver
  /** A new driver in the same namespace, as after a restart. */
  restart(): NftablesDriver
  addEndpoint(number: number, addresses: readonly string[]): Promise<LabEndpoint>
  close(): Promise<void>
}

export async function createNftLab(prefix: string): Promise<NftLab> {
  const lab = await createLab({ prefix })
  try {
    const host = await addHostNetns(lab)
    const leave = enterNetns(host)
    let driver = createNftablesDriver()
    const bridge = ifindexOf(host, 'br0')
    return {
      lab,
      host,
      get driver() {
        return driver
      },
      restart() {
        driver = createNftablesDriver()
        return driver
      },
      async addEndpoint(number, addresses) {
        const namespace = await addNamespaceEndpoint(lab, { name: `v${number}`, mac: macOf(number), addresses, host })
        const ifindex = ifindexOf(host, namespace.tap)
        return {
          number,
          namespace,
          ifindex,
          // there is no other way than the bridge
          attachment: () => ({ endpoint: endpointId(number), ifindex, device: namespace.tap, segment: bridge }),
        }
      },
      async close() {
        leave()
        await lab.close()
      },
    }
  } catch (error) {
    await lab.close()
    throw error
  }
}
