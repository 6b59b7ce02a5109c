/** Services that were seen, as the language writes them in place: ports side by side become a range. */
import { icmpTypeNames, portProtocols, typeProtocols } from '@hyperward/model'

export interface SeenService {
  readonly protocol: number
  /** Port or type; null for protocols that have neither. */
  readonly port: number | null
}

export function toServiceText(services: readonly SeenService[]): string {
  const named = Object.entries({ ...portProtocols, ...typeProtocols })
  const parts = named.flatMap(([name, number]) => {
    const ports = services.flatMap(({ protocol, port }) => (protocol === number && port !== null ? [port] : []))
    if (ports.length === 0) return []
    const texts = name === 'icmp' || name === 'icmpv6' ? toTypes(name, ports) : toRanges(ports)
    return [`${name}: [${texts.join(', ')}]`]
  })
  const numbers = new Set(services.filter(({ port }) => port === null).map(({ protocol }) => protocol))
  if (numbers.size > 0) parts.push(`protocol: [${[...numbers].sort((a, b) => a - b).join(', ')}]`)
  return `{${parts.join(', ')}}`
}

function toTypes(name: keyof typeof icmpTypeNames, types: readonly number[]): readonly string[] {
  const names = new Map<number, string>(Object.entries(icmpTypeNames[name]).map(([text, number]) => [number, text]))
  return [...new Set(types)].sort((a, b) => a - b).map((type) => names.get(type) ?? String(type))
}

function toRanges(ports: readonly number[]): readonly string[] {
  const ranges: { from: number; to: number }[] = []
  for (const port of [...new Set(ports)].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last !== undefined && last.to + 1 === port) last.to = port
    else ranges.push({ from: port, to: port })
  }
  return ranges.map(({ from, to }) => (from === to ? String(from) : `${from}-${to}`))
}
