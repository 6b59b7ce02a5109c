import type { Action } from '@hyperward/model'

/** `not-enforced`: neither address is an endpoint's, so nothing of ours stands in the way. */
export type FlowVerdict = Action | 'not-enforced'

/** Of the sides that are enforced, egress first: the first that refuses; else through the gateway if any says so; else stateless if any; else allowed. */
export function combineVerdicts(actions: readonly Action[]): FlowVerdict {
  if (actions.length === 0) return 'not-enforced'
  const refused = actions.find((action) => action === 'drop' || action === 'reject')
  if (refused !== undefined) return refused
  return (['inspect', 'allow-stateless'] as const).find((action) => actions.includes(action)) ?? 'allow'
}
