/** What can be done through the API, and what shows that one may: each route declares one of these, and the authorization point decides on nothing else. */
export const actions = {
  'agent:connect': 'client-certificate',
  'agent:enroll': 'enrolment-token',
  'audit:read': 'administrator',
  'endpoint:read': 'administrator',
  'event:read': 'administrator',
  'flow:read': 'administrator',
  'host:enroll': 'administrator',
  'host:read': 'administrator',
  'host:remove': 'administrator',
  'policy:draft': 'administrator',
  'policy:publish': 'administrator',
  'policy:read': 'administrator',
  'rule:read': 'administrator',
  'simulation:read': 'administrator',
  'status:read': 'administrator',
  'vm:migrate': 'administrator',
  'vm:write': 'administrator',
} as const satisfies Record<string, 'administrator' | 'client-certificate' | 'enrolment-token'>

export type ApiAction = keyof typeof actions

export function isAction(value: unknown): value is ApiAction {
  return typeof value === 'string' && Object.hasOwn(actions, value)
}

/** Reading is not audited, changing is. */
export function isAudited(action: ApiAction): boolean {
  return actions[action] === 'administrator' && !action.endsWith(':read')
}
