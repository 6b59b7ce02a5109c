/**
 * The fields of every kind of record in a policy document, once: the parser refuses others, the grammar table describes exactly these.
 * In the order in which the formatter and the documentation give them.
 */
export const envelopeFields = ['apiVersion', 'kind'] as const
export const policyDocumentFields = ['provider', 'tenants'] as const

const sharedScopeFields = ['groups', 'services', 'schedules', 'profiles'] as const
export const providerFields = [
  ...sharedScopeFields,
  'emergency',
  'platform',
  'baseline',
  'exclusions',
  'guarantees',
] as const
export const tenantFields = [...sharedScopeFields, 'policies', 'exclusions', 'guarantees', 'default'] as const

/** An entry of `emergency`, `platform`, `baseline` or `policies`. */
export const policyFields = ['policy', 'order', 'description', 'rules'] as const
export const ruleFields = [
  'name',
  'description',
  'from',
  'to',
  'service',
  'direction',
  'applied-to',
  'action',
  'profile',
  'log',
  'monitor',
  'schedule',
  'expires',
  'labels',
] as const
export const logFields = ['rate'] as const

/** What a selector of endpoints asks; all of it must hold. */
export const criterionFields = ['labels', 'expressions', 'names', 'os', 'hosts', 'segments'] as const
export const endpointSelectorFields = [...criterionFields, 'tenants', 'not'] as const
export const expressionFields = ['label', 'in', 'notin', 'exists'] as const
/** A group is one kind of selector: endpoints, or networks with exceptions, or groups with exceptions. */
export const groupFields = [...endpointSelectorFields, 'networks', 'groups', 'except'] as const
/** A selector without a name, in a rule. */
export const inlineSelectorFields = [...endpointSelectorFields, 'networks', 'except'] as const
/** The long form of a side of a rule. */
export const sideFields = ['any-of', 'not'] as const

export const serviceFields = ['tcp', 'udp', 'sctp', 'icmp', 'icmpv6', 'protocol', 'services'] as const

export const scheduleFields = ['time-zone', 'windows'] as const
export const windowFields = ['days', 'from', 'to', 'first-day', 'last-day'] as const
export const profileFields = ['description'] as const

export const exclusionFields = ['name', 'members', 'reason', 'expires'] as const
export const guaranteeFields = ['name', 'description', 'never', 'always', 'only-through'] as const
/** Of `never` and `always`. */
export const statementFields = ['from', 'to', 'service'] as const
/** Of `only-through`. */
export const throughFields = ['from', 'to', 'service', 'profile'] as const

export const ruleActions = ['allow', 'allow-stateless', 'drop', 'reject', 'pass', 'inspect'] as const
export const ruleDirections = ['ingress', 'egress', 'both'] as const
export const defaultActions = ['allow', 'drop', 'reject', 'pass'] as const
export const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const
