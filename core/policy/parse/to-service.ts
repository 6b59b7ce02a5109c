import { portProtocols, type Service, typeProtocols } from '@hyperward/model'

import { mergeEntries, wholeProtocol } from './parse-service.ts'

const protocols: Readonly<Record<string, number>> = { ...portProtocols, ...typeProtocols }

/** The catalogue's short form → Service: `tcp/80 tcp/8000-8100 icmp/8 protocol/47`. Throws on other text: that is a bug. */
export function toService(text: string): Service {
  const entries = text.split(' ').map((part) => {
    const match = /^([a-z0-9]+)\/(\d+)(?:-(\d+))?$/.exec(part)
    const from = Number(match?.[2])
    const to = match?.[3] === undefined ? from : Number(match[3])
    if (match?.[1] === 'protocol' && match[3] === undefined && from <= 255)
      return { protocol: from, ranges: wholeProtocol(from) }
    const protocol = protocols[match?.[1] ?? '']
    const limit = protocol === typeProtocols.icmp || protocol === typeProtocols.icmpv6 ? 255 : 65_535
    if (match === null || protocol === undefined || from > to || to > limit) throw new Error(`not a service: ${part}`)
    return { protocol, ranges: [{ from, to }] }
  })
  return { kind: 'some', entries: mergeEntries(entries) }
}
