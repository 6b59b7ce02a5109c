/**
 * The endpoints that every shape is loaded for, and what each may receive. Two of them exist (endpoint 1 sends to endpoint 2);
 * the others are rules and table entries only. The two stand in the middle of every list, so that a list's average is measured, not its best case.
 */
export interface BenchEndpoint {
  readonly number: number
  readonly device: string
  readonly mac: string
  readonly address: string
}

export interface AllowedService {
  readonly protocol: 'tcp' | 'udp'
  readonly port: number
}

export const senderEndpoint = toEndpoint(1)
export const receiverEndpoint = toEndpoint(2)
/** Four rules an endpoint, each from {@link senderEndpoint}. */
export const allowedServices: readonly AllowedService[] = [
  { protocol: 'tcp', port: 22 },
  { protocol: 'tcp', port: 8080 },
  { protocol: 'tcp', port: 5201 },
  { protocol: 'udp', port: 9000 },
]
export const measuredPort = 9000
/** No rule allows it: shows that a shape is in force. */
export const deniedPort = 9999

export function makeEndpoints(count: number): readonly BenchEndpoint[] {
  const rest = Array.from({ length: count - 2 }, (_, index) => toEndpoint(index + 3))
  const middle = rest.length >> 1
  return [...rest.slice(0, middle), senderEndpoint, receiverEndpoint, ...rest.slice(middle)]
}

function toEndpoint(number: number): BenchEndpoint {
  const high = number >> 8
  const low = number & 255
  const hex = (byte: number): string => byte.toString(16).padStart(2, '0')
  return {
    number,
    device: `tap${number}`,
    mac: `02:00:00:00:${hex(high)}:${hex(low)}`,
    address: `10.9.${high}.${low}`,
  }
}
