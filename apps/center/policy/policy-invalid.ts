import { OperationError, type Diagnostic } from '@hyperward/model'

/** A document with errors, all of them. The API answers 422 with the list. */
export class PolicyInvalid extends OperationError {
  readonly diagnostics: readonly Diagnostic[]

  constructor(diagnostics: readonly Diagnostic[]) {
    const errors = diagnostics.filter((each) => each.severity === 'error').length
    super(
      'policy.invalid',
      `the policy has ${errors} error${errors === 1 ? '' : 's'}; what is published stays in force`,
    )
    this.diagnostics = diagnostics
  }
}
