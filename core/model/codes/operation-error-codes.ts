/**
 * The closed set of codes of failed operations. Each has a heading in docs/errors.md; tests/repo compares the two both ways.
 * Form: `<place>.<what>`. Keep the list sorted.
 */
export const operationErrorCodes = [
  'os.exec-failed',
  'os.exec-timeout',
  'os.file-unreadable',
  'os.file-unwritable',
  'os.no-space',
] as const

export type OperationErrorCode = (typeof operationErrorCodes)[number]
