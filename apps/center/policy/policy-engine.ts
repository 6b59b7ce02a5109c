/** core/policy as the center uses it: one compile from policy and inventory, and the questions the API asks of a compilation. Pure. */
import {
  toRuleOrigin,
  type Diagnostic,
  type Inventory,
  type Packet,
  type Policy,
  type Revision,
} from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import {
  compile,
  explain,
  listChanges,
  resolve,
  validateAgainst,
  type Compilation,
  type ExplainedAddress,
} from '@hyperward/policy'
import type { ApiDiffResult, ApiExplainResult } from '@hyperward/protocol'

export interface CompileRequest {
  readonly policy: Policy
  readonly inventory: Inventory
  readonly revision: Revision
  /** Makes a small change quick; of the same policy or not. */
  readonly previous: Compilation | null
}

export function compilePolicy({ policy, inventory, revision, previous }: CompileRequest): Compilation {
  const resolved = resolve(policy, inventory, previous?.resolved)
  return compile(resolved, { revision, sha256: sha256Hex, ...(previous === null ? {} : { previous }) })
}

/** What of the policy is doubtful over this inventory (a label no VM has, …). */
export function toDoubts(compilation: Compilation): readonly Diagnostic[] {
  return validateAgainst(compilation.resolved.policy, compilation.resolved.inventory)
}

/** What of the inventory was left out, and why. */
export function toProblems(compilation: Compilation): readonly Diagnostic[] {
  return compilation.resolved.problems
}

export type Explained = Pick<ApiExplainResult, 'action' | 'source' | 'destination' | 'sides'>

export function explainPacket(compilation: Compilation, packet: Packet): Explained {
  const { source, destination, sides, verdict } = explain(compilation.resolved, packet)
  return {
    // between two addresses that are nobody's endpoint nothing of ours decides, and nothing is said to be allowed
    action: verdict === 'not-enforced' ? 'drop' : verdict,
    source: toParty(source),
    destination: toParty(destination),
    sides: sides.map(({ direction, endpoint, action, ref }) => ({
      direction,
      endpoint,
      decided: { action, rule: toRuleOrigin(ref) },
    })),
  }
}

const changesLimit = 200
const membersLimit = 20

/** What changes from one policy to another over the same inventory; nothing published = nothing allowed. */
export function diffCompilations(
  before: Compilation | null,
  after: Compilation,
): Pick<ApiDiffResult, 'changes' | 'more'> {
  const from = before?.resolved ?? resolve(emptyPolicy, after.resolved.inventory)
  return listChanges(from, after.resolved, { changes: changesLimit, members: membersLimit })
}

const emptyPolicy: Policy = { tenants: [], groups: [], rules: [], guarantees: [] }

function toParty(party: ExplainedAddress): ApiExplainResult['source'] {
  const { address, identity, endpoint, vmName, tenant, host } = party
  return { address, identity, endpoint, vmName, tenant, host }
}
