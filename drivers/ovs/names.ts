/** Every name and number on a bridge that this driver makes; all else on it is somebody else's. */

/** Of each of our flows. */
export const ownCookie = 0x4857_5244_0000_0001n
/** Groups carry no cookie: ours are those in this range. */
export const firstGroup = 0x4857_0000
export const lastGroup = 0x4857_ffff

/** VLAN of gateways' ports: what the bridge floods reaches none of them, and what comes out of them is switched only as our flows say. */
export const gatewayTag = 4094

export function isOwnGroup(id: number): boolean {
  return id >= firstGroup && id <= lastGroup
}

/** Table 0 is shared with the operator, ours stand above what is usual there; the other one is ours. */
export const entryTable = 0
export const deliverTable = 72

/** In a request for flows: of every table. */
export const allTables = 255

export const priorities = {
  toEndpointFromGateway: 41_400,
  fromEndpointFromGateway: 41_350,
  fromGateway: 41_300,
  betweenProtected: 41_250,
  fromEndpoint: 41_200,
  toEndpoint: 41_100,
  deliver: 41_000,
  anyone: 1,
} as const
