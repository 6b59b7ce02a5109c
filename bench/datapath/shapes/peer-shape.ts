import type { BenchEndpoint } from '../endpoints.ts'

/** One program run in the host's namespace with the rules on its stdin. */
export interface LoadStep {
  readonly file: string
  readonly args: readonly string[]
  readonly input: string
}

/** How a peer lays out the rules for a list of endpoints: source MAC and address checked, four inbound allow rules, default drop, stateful. */
export interface PeerShape {
  readonly name: string
  render(endpoints: readonly BenchEndpoint[]): readonly LoadStep[]
}

export function iptablesRestore(chains: readonly string[], rules: readonly string[]): LoadStep {
  const builtin = [':INPUT ACCEPT [0:0]', ':FORWARD ACCEPT [0:0]', ':OUTPUT ACCEPT [0:0]']
  const lines = ['*filter', ...builtin, ...chains.map((chain) => `:${chain} - [0:0]`), ...rules, 'COMMIT', '']
  return { file: 'iptables-legacy-restore', args: ['-w', '30'], input: lines.join('\n') }
}
