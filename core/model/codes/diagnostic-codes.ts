/**
 * The closed set of diagnostic codes: what can be wrong with a document a user wrote (or a plan an agent was sent).
 * Each has a heading in docs/errors.md; tests/repo compares the two both ways. Keep the list sorted.
 */
export const diagnosticCodes = [
  'address.host-bits',
  'address.malformed',
  'document.empty',
  'document.not-yaml',
  'document.too-deep',
  'document.too-large',
  'field.duplicate',
  'field.missing',
  'field.unknown',
  'field.wrong-type',
  'group.cycle',
  'group.duplicate',
  'group.empty-selector',
  'group.unknown',
  'inventory.duplicate-address',
  'inventory.duplicate-endpoint',
  'inventory.duplicate-host',
  'inventory.duplicate-mac',
  'inventory.duplicate-vm',
  'inventory.unknown-host',
  'label.unknown-key',
  'mac.malformed',
  'name.duplicate',
  'name.malformed',
  'port.duplicate',
  'port.inverted-range',
  'port.out-of-range',
  'port.overlap',
  'rule.action-unknown',
  'rule.direction-unknown',
  'service.empty',
  'service.unknown',
  'tenant.unknown',
] as const

export type DiagnosticCode = (typeof diagnosticCodes)[number]
