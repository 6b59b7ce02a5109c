import type { CommandName } from './command-table/command-table.ts'
import type { Run } from './command.ts'

/** The code of each command, loaded only when it is asked for: `help` and `version` start without the network's modules. */
export const commandModules: { readonly [N in CommandName]: () => Promise<Run<N>> } = {
  apply: async () => (await import('./commands/apply.ts')).apply,
  plan: async () => (await import('./commands/plan.ts')).plan,
  diff: async () => (await import('./commands/diff.ts')).diff,
  publish: async () => (await import('./commands/publish.ts')).publish,
  explain: async () => (await import('./commands/explain.ts')).explain,
  'policy show': async () => (await import('./commands/policy-show.ts')).policyShow,
  'policy history': async () => (await import('./commands/policy-history.ts')).policyHistory,
  fmt: async () => (await import('./commands/fmt.ts')).fmt,
  'schema policy': async () => (await import('./commands/schema-policy.ts')).schemaPolicy,
  status: async () => (await import('./commands/status.ts')).status,
  hosts: async () => (await import('./commands/hosts.ts')).hosts,
  'hosts add': async () => (await import('./commands/hosts-add.ts')).hostsAdd,
  'hosts remove': async () => (await import('./commands/hosts-remove.ts')).hostsRemove,
  endpoints: async () => (await import('./commands/endpoints.ts')).endpoints,
  rules: async () => (await import('./commands/rules.ts')).rules,
  flows: async () => (await import('./commands/flows.ts')).flows,
  events: async () => (await import('./commands/events.ts')).events,
  'vms show': async () => (await import('./commands/vms-show.ts')).vmsShow,
  'vms set': async () => (await import('./commands/vms-set.ts')).vmsSet,
  audit: async () => (await import('./commands/audit.ts')).audit,
  login: async () => (await import('./commands/login.ts')).login,
  context: async () => (await import('./commands/context.ts')).context,
  completion: async () => (await import('./commands/completion.ts')).completion,
  version: async () => (await import('./commands/version.ts')).printVersion,
  help: async () => (await import('./commands/help.ts')).help,
}
