/** core/policy as the center uses it: one compile from policy and inventory, and the questions the API asks of a compilation. Pure. */
import { type Diagnostic, type Inventory, type Packet, type Policy, type Revision } from '@hyperward/model'
import { sha256Hex } from '@hyperward/os'
import { compile, explain, resolve, tellExplanation, validateAgainst, type Compilation } from '@hyperward/policy'
import type { ApiExplanation } from '@hyperward/protocol'

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

export function explainPacket(compilation: Compilation, packet: Packet): ApiExplanation {
  return tellExplanation(explain(compilation.resolved, packet))
}
