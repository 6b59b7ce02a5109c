/** Flows and groups → OpenFlow 1.4 (the numbers are of its specification, §7; resubmit is Open vSwitch's own action). */
import type { Bucket, Flow, FlowTarget, Group } from './desired.ts'
import type { ObservedFlow } from './decode.ts'
import { ownCookie } from './names.ts'

const version = 5
export const messageTypes = {
  hello: 0,
  error: 1,
  echoRequest: 2,
  echoReply: 3,
  flowMod: 14,
  groupMod: 15,
  multipartRequest: 18,
  multipartReply: 19,
  bundleControl: 33,
  bundleAdd: 34,
} as const
const flowCommands = { add: 0, deleteStrict: 4 } as const
const groupCommands = { add: 0, modify: 1, delete: 2 } as const
const bundleSteps = { open: 0, commit: 4, discard: 6 } as const
export const multipartTypes = { flow: 1, groupDesc: 7 } as const

const any = 0xffff_ffff
const portNormal = 0xffff_fffa
const noBuffer = 0xffff_ffff
const fastFailover = 3
const allGroupTypes = 0
/** All changes take effect at once, in their order. */
const atomicOrdered = 3

export function renderMessage(type: number, xid: number, body: Uint8Array): Buffer {
  const header = Buffer.alloc(8)
  header[0] = version
  header[1] = type
  header.writeUInt16BE(8 + body.length, 2)
  header.writeUInt32BE(xid, 4)
  return Buffer.concat([header, body])
}

export function renderMatch({ inPort, ethSrc, ethDst }: Pick<Flow, 'inPort' | 'ethSrc' | 'ethDst'>): Buffer {
  const fields: Buffer[] = []
  if (inPort !== null) fields.push(oxm(0, u32(inPort)))
  if (ethSrc !== null) fields.push(oxm(4, Buffer.from(ethSrc.replaceAll(':', ''), 'hex')))
  if (ethDst !== null) fields.push(oxm(3, Buffer.from(ethDst.replaceAll(':', ''), 'hex')))
  const body = Buffer.concat(fields)
  return padded(Buffer.concat([u16(1), u16(4 + body.length), body]))
}

export function renderInstructions(target: FlowTarget): Buffer {
  if (target.kind === 'table') return Buffer.concat([u16(1), u16(8), Buffer.from([target.table, 0, 0, 0])])
  if (target.kind === 'drop') return Buffer.alloc(0)
  const action = renderAction(target)
  return Buffer.concat([u16(4), u16(8 + action.length), u32(0), action])
}

export function renderFlowAdd(flow: Flow): Buffer {
  return Buffer.concat([flowHead(flow, flowCommands.add), renderMatch(flow), renderInstructions(flow.target)])
}

/** Of ours alone, whatever else stands there. */
export function renderFlowRemoval(observed: ObservedFlow): Buffer {
  const head = flowHead(observed, flowCommands.deleteStrict)
  head.writeBigUInt64BE(0xffff_ffff_ffff_ffffn, 8)
  return Buffer.concat([head, Buffer.from(observed.match, 'hex')])
}

function flowHead({ table, priority }: Pick<Flow, 'table' | 'priority'>, command: number): Buffer {
  const head = Buffer.alloc(40)
  head.writeBigUInt64BE(ownCookie)
  head[16] = table
  head[17] = command
  head.writeUInt16BE(priority, 22)
  head.writeUInt32BE(noBuffer, 24)
  head.writeUInt32BE(any, 28)
  head.writeUInt32BE(any, 32)
  return head
}

export function renderBuckets(buckets: readonly Bucket[]): Buffer {
  return Buffer.concat(
    buckets.map(({ watchPort, target }) => {
      const action = renderAction(target)
      return Buffer.concat([u16(16 + action.length), u16(0), u32(watchPort), u32(any), u32(0), action])
    }),
  )
}

export function renderGroupMod(group: Group, command: keyof typeof groupCommands): Buffer {
  const buckets = command === 'delete' ? Buffer.alloc(0) : renderBuckets(group.buckets)
  const type = command === 'delete' ? allGroupTypes : fastFailover
  return Buffer.concat([u16(groupCommands[command]), Buffer.from([type, 0]), u32(group.id), buckets])
}

export function renderBundleControl(bundle: number, step: keyof typeof bundleSteps): Buffer {
  return Buffer.concat([u32(bundle), u16(bundleSteps[step]), u16(atomicOrdered)])
}

export function renderBundleAdd(bundle: number, message: Uint8Array): Buffer {
  return Buffer.concat([u32(bundle), u16(0), u16(atomicOrdered), message])
}

/** Flows of one table. */
export function renderFlowRequest(table: number): Buffer {
  const body = Buffer.alloc(40)
  body[0] = table
  body.writeUInt32BE(any, 4)
  body.writeUInt32BE(any, 8)
  // the last eight bytes: a match of everything
  body.writeUInt16BE(1, 32)
  body.writeUInt16BE(4, 34)
  return Buffer.concat([u16(multipartTypes.flow), u16(0), u32(0), body])
}

export function renderGroupRequest(): Buffer {
  return Buffer.concat([u16(multipartTypes.groupDesc), u16(0), u32(0)])
}

function renderAction(target: Exclude<FlowTarget, { kind: 'table' | 'drop' }> | Bucket['target']): Buffer {
  switch (target.kind) {
    case 'group':
      return Buffer.concat([u16(22), u16(8), u32(target.group)])
    case 'output':
      return output(target.port)
    case 'normal':
      return output(portNormal)
    case 'table':
      return resubmit(target.table)
    case 'as-from':
      // vendor action 7: load the port into NXM_OF_IN_PORT, all 16 bits of it
      return Buffer.concat([
        Buffer.concat([u16(0xffff), u16(24), u32(0x2320), u16(7), u16(15), u32(2), u32(0), u32(target.port)]),
        resubmit(target.table),
      ])
  }
}

/** Vendor action 14: goes through the table with the port as it is now. */
function resubmit(table: number): Buffer {
  return Buffer.concat([u16(0xffff), u16(16), u32(0x2320), u16(14), u16(0xfff8), Buffer.from([table, 0, 0, 0])])
}

function output(port: number): Buffer {
  return Buffer.concat([u16(0), u16(16), u32(port), u16(0), Buffer.alloc(6)])
}

function oxm(field: number, value: Buffer): Buffer {
  return Buffer.concat([u16(0x8000), Buffer.from([field << 1, value.length]), value])
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((8 - (bytes.length % 8)) % 8)])
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}
