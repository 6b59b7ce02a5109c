/**
 * Whether a condition on a network card holds for the cards that a policy is about. Null: it depends on a card that nobody told about.
 * Loopback never reaches a tap. `+` at the end stands for any rest, as in iptables.
 */
export function matchesInterface(name: string, interfaces: readonly string[] | null): boolean | null {
  if (name === 'lo') return false
  if (name === '+') return true
  if (interfaces === null) return null
  const found = interfaces.filter((other) => (name.endsWith('+') ? other.startsWith(name.slice(0, -1)) : other === name)) // prettier-ignore
  if (found.length === 0) return false
  return found.length === interfaces.length ? true : null
}
