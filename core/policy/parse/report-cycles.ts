import type { GroupName } from '@hyperward/model'

import type { Declared } from './declared-names.ts'

/** Each cycle is told once, at the one of it that is written first. Iterative: a chain may be longer than the call stack. */
export function reportCycles(
  declared: readonly Declared[],
  members: ReadonlyMap<GroupName, readonly GroupName[]>,
  onCycle: (first: Declared, cycle: string) => void,
): void {
  const finished = new Set<GroupName>()
  for (const first of declared) {
    const path: { readonly name: GroupName; next: number }[] = [{ name: first.name, next: 0 }]
    const onPath = new Set<GroupName>([first.name])
    for (let top = path.at(-1); top !== undefined; top = path.at(-1)) {
      const member = finished.has(top.name) ? undefined : members.get(top.name)?.[top.next]
      if (member === undefined) {
        finished.add(top.name)
        onPath.delete(top.name)
        path.pop()
        continue
      }
      top.next += 1
      if (onPath.has(member)) {
        const cycle = [...path.slice(path.findIndex((step) => step.name === member)).map((step) => step.name), member]
        const shown = cycle.length > 8 ? [...cycle.slice(0, 7), '…', member] : cycle
        onCycle(first, shown.map(toWritten).join(' → '))
      } else if (!finished.has(member)) {
        path.push({ name: member, next: 0 })
        onPath.add(member)
      }
    }
  }
}

function toWritten(name: string): string {
  return name.startsWith('/') ? `provider${name}` : name
}
