/** The identity classes of two resolved policies laid over each other: addresses that neither tells apart. */
import {
  type Address,
  type Prefix,
  toPrefixValue,
  type PrefixIdentity,
  prefixContains,
  worldIdentity,
} from '@hyperward/model'

import { lookupIdentity } from '../compile/lookup-verdict.ts'
import { compareText } from '../resolve/compare-text.ts'
import type { IdentityClass, ResolvedPolicy } from '../resolve/resolved-policy.ts'

export interface AddressAtom {
  readonly before: IdentityClass
  readonly after: IdentityClass
  readonly addresses: readonly Address[]
  /** Networks whose addresses (those of no endpoint) are in it. */
  readonly networks: readonly Prefix[]
  /** True for addresses in no endpoint and no network. */
  readonly world: boolean
}

export function refineAddresses(before: ResolvedPolicy, after: ResolvedPolicy): readonly AddressAtom[] {
  const classBefore = createClassOf(before)
  const classAfter = createClassOf(after)
  const atoms = new Map<
    string,
    { -readonly [K in keyof AddressAtom]: AddressAtom[K] } & { addresses: Address[]; networks: Prefix[] }
  >()
  const atomOf = (first: number, second: number) => {
    const key = `${first}/${second}`
    const atom = atoms.get(key) ?? {
      before: classBefore(first),
      after: classAfter(second),
      addresses: [],
      networks: [],
      world: false,
    }
    atoms.set(key, atom)
    return atom
  }
  const known = new Map<Address, [number | undefined, number | undefined]>()
  for (const { address, identity } of before.addresses) known.set(address, [identity, undefined])
  for (const { address, identity } of after.addresses) known.set(address, [known.get(address)?.[0], identity])
  for (const [address, [first, second]] of known) {
    const atom = atomOf(first ?? lookupIdentity(before, address), second ?? lookupIdentity(after, address))
    atom.addresses.push(address)
  }
  const prefixes = new Set([...before.networks, ...after.networks].map((entry) => entry.prefix))
  for (const prefix of [...prefixes].sort(compareText)) {
    atomOf(identityOfPrefix(before.networks, prefix), identityOfPrefix(after.networks, prefix)).networks.push(prefix)
  }
  atomOf(worldIdentity, worldIdentity).world = true
  return [...atoms.values()]
}

function createClassOf({ classes }: ResolvedPolicy): (identity: number) => IdentityClass {
  const byIdentity = new Map<number, IdentityClass>(classes.map((one) => [one.identity, one]))
  return (identity) => {
    const found = byIdentity.get(identity)
    if (found === undefined) throw new Error(`an identity without a class: ${identity}`)
    return found
  }
}

function identityOfPrefix(networks: readonly PrefixIdentity[], prefix: Prefix): number {
  const wanted = toPrefixValue(prefix)
  let longest = -1
  let identity: number = worldIdentity
  for (const entry of networks) {
    const value = toPrefixValue(entry.prefix)
    if (value.length <= longest || value.length > wanted.length || !prefixContains(value, wanted)) continue
    longest = value.length
    identity = entry.identity
  }
  return identity
}
