/** Closes a switch over a union: a new member does not compile until it is handled. Throws if a value slipped past the types. */
export function assertNever(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`)
}
