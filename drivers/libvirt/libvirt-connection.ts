import { OperationError, parseVmUuid, type VmUuid } from '@hyperward/model'

import {
  domainEventIds,
  domainStates,
  lifecycleEvents,
  type DomainState,
  type LifecycleEvent,
} from './libvirt-constants.ts'
import { eventMessages, procedures, RemoteAuthType, type RemoteNonnullDomain } from './protocol.gen.ts'
import { createRpcConnection } from './rpc-connection.ts'
import { XdrError, type XdrReader } from './xdr.ts'

export interface LibvirtDomain {
  readonly uuid: VmUuid
  readonly name: string
  /** Number while it runs, -1 when it does not. */
  readonly id: number
}

export type LibvirtEvent =
  | {
      readonly kind: 'lifecycle'
      readonly domain: LibvirtDomain
      readonly event: LifecycleEvent
      readonly detail: number
    }
  | { readonly kind: 'device-added' | 'device-removed'; readonly domain: LibvirtDomain; readonly device: string }
  | { readonly kind: 'metadata-change'; readonly domain: LibvirtDomain; readonly namespace: string | null }

export interface LibvirtConnectionOptions {
  /** libvirtd's (or virtqemud's) socket, e.g. /run/libvirt/libvirt-sock. */
  readonly path: string
  /** Default 10,000. A call that takes longer ends the connection. */
  readonly callTimeoutMs?: number
  /** Default 5,000: a libvirt that hangs is told within twice this. */
  readonly keepaliveIntervalMs?: number
  /** After `subscribe`. */
  readonly onEvent?: (event: LibvirtEvent) => void
  /** Once; null = `close` was called. Connecting again is the caller's. */
  readonly onClose?: (error: OperationError | null) => void
}

/** Every call fails with `libvirt.call-failed`, `libvirt.closed`, `libvirt.malformed` or `libvirt.unresponsive`. */
export interface LibvirtConnection {
  hostname(): Promise<string>
  /** e.g. `9.0.0` */
  libVersion(): Promise<string>
  /** Running and not. */
  listDomains(): Promise<readonly LibvirtDomain[]>
  domainState(domain: LibvirtDomain): Promise<DomainState>
  /** The live description of a running domain, the stored one of another. */
  domainXml(domain: LibvirtDomain): Promise<string>
  /**
   * Moves a running domain to the libvirt at `destination` (a connection URI as this libvirt reaches it), live, peer to peer; it is defined there and no longer here.
   * Resolves when it runs there. When it fails, it runs on here. The call takes as long as the migration: `callTimeoutMs` must allow for it.
   */
  migrate(domain: LibvirtDomain, destination: string, migrateUri: string | null): Promise<void>
  /** Events of all domains go to `onEvent` from now on: lifecycle, device added and removed, metadata changed. */
  subscribe(): Promise<void>
  unsubscribe(): Promise<void>
  close(): Promise<void>
}

/** Connects and opens the QEMU driver. Fails with `libvirt.unreachable`, or as a call. */
export async function createLibvirtConnection(options: LibvirtConnectionOptions): Promise<LibvirtConnection> {
  const rpc = await createRpcConnection({
    path: options.path,
    callTimeoutMs: options.callTimeoutMs ?? 10_000,
    keepaliveIntervalMs: options.keepaliveIntervalMs ?? 5000,
    onMessage: (procedure, body) => {
      const event = decodeEvent(procedure, body)
      if (event !== null) options.onEvent?.(event)
    },
    onClose: (error) => options.onClose?.(error),
  })
  try {
    const { types } = await rpc.call(procedures.authList, {})
    if (!types.includes(RemoteAuthType.REMOTE_AUTH_NONE)) {
      const message = `libvirt at ${options.path} wants authentication; run as root on its own host, or set auth_unix_rw = "none"`
      throw new OperationError('libvirt.unreachable', message, { path: options.path })
    }
    await rpc.call(procedures.connectOpen, { name: 'qemu:///system', flags: 0 })
  } catch (error) {
    rpc.close()
    throw error
  }
  let callbacks: readonly number[] = []
  return {
    hostname: async () => (await rpc.call(procedures.connectGetHostname, {})).hostname,
    libVersion: async () => {
      const { lib_ver: version } = await rpc.call(procedures.connectGetLibVersion, {})
      return [version / 1_000_000n, (version / 1000n) % 1000n, version % 1000n].join('.')
    },
    listDomains: async () => {
      const { domains } = await rpc.call(procedures.connectListAllDomains, { need_results: 1, flags: 0 })
      return domains.map(toDomain)
    },
    domainState: async (domain) => {
      const { state } = await rpc.call(procedures.domainGetState, { dom: toRemote(domain), flags: 0 })
      return domainStates[state] ?? 'unknown'
    },
    domainXml: async (domain) => (await rpc.call(procedures.domainGetXmlDesc, { dom: toRemote(domain), flags: 0 })).xml,
    migrate: async (domain, destination, migrateUri) => {
      const none = new Uint8Array(0)
      await rpc.call(procedures.domainMigratePerform3, {
        dom: toRemote(domain),
        xmlin: null,
        cookie_in: none,
        dconnuri: destination,
        uri: migrateUri,
        flags: migrateFlags,
        dname: null,
        resource: 0n,
      })
    },
    subscribe: async () => {
      if (callbacks.length > 0) return
      const registered = await Promise.all(
        Object.values(domainEventIds).map((eventID) =>
          rpc.call(procedures.connectDomainEventCallbackRegisterAny, { eventID, dom: null }),
        ),
      )
      callbacks = registered.map(({ callbackID }) => callbackID)
    },
    unsubscribe: async () => {
      const registered = callbacks
      callbacks = []
      await Promise.all(
        registered.map((callbackID) => rpc.call(procedures.connectDomainEventCallbackDeregisterAny, { callbackID })),
      )
    },
    close: async () => {
      // politeness only: libvirt forgets a client whose socket is closed
      await rpc.call(procedures.connectClose, {}).catch(() => undefined)
      rpc.close()
    },
  }
}

/** VIR_MIGRATE_LIVE, PEER2PEER, PERSIST_DEST, UNDEFINE_SOURCE. */
const migrateFlags = 1n | 2n | 8n | 16n

/** null: a message of a kind we did not ask for. */
export function decodeEvent(procedure: number, body: XdrReader): LibvirtEvent | null {
  switch (procedure) {
    case eventMessages.domainEventCallbackLifecycle.number: {
      const { msg } = eventMessages.domainEventCallbackLifecycle.message.decode(body)
      const event = lifecycleEvents[msg.event] ?? 'other'
      return { kind: 'lifecycle', domain: toDomain(msg.dom), event, detail: msg.detail }
    }
    case eventMessages.domainEventCallbackDeviceAdded.number: {
      const message = eventMessages.domainEventCallbackDeviceAdded.message.decode(body)
      return { kind: 'device-added', domain: toDomain(message.dom), device: message.devAlias }
    }
    case eventMessages.domainEventCallbackDeviceRemoved.number: {
      const { msg } = eventMessages.domainEventCallbackDeviceRemoved.message.decode(body)
      return { kind: 'device-removed', domain: toDomain(msg.dom), device: msg.devAlias }
    }
    case eventMessages.domainEventCallbackMetadataChange.number: {
      const message = eventMessages.domainEventCallbackMetadataChange.message.decode(body)
      return { kind: 'metadata-change', domain: toDomain(message.dom), namespace: message.nsuri }
    }
    default:
      return null
  }
}

function toDomain(remote: RemoteNonnullDomain): LibvirtDomain {
  const hex = Buffer.from(remote.uuid).toString('hex')
  const uuid = parseVmUuid(hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'))
  if (uuid === null) throw new XdrError(`not a UUID: ${hex}`)
  return { uuid, name: remote.name, id: remote.id }
}

function toRemote(domain: LibvirtDomain): RemoteNonnullDomain {
  return { name: domain.name, uuid: Buffer.from(domain.uuid.replaceAll('-', ''), 'hex'), id: domain.id }
}
