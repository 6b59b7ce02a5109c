import type { Diagnostic } from '@hyperward/model'

import type { CommandContext } from '../command.ts'
import type { Sources } from '../failures.ts'
import { renderDiagnostics } from './render-diagnostics.ts'

/** Warnings go to stderr, so that a result in a pipe stays a result. */
export function tellWarnings({ out, locale }: CommandContext, warnings: readonly Diagnostic[], sources: Sources): void {
  renderDiagnostics(locale, warnings, sources, out.errorStyle).forEach(out.styledErrorLine)
}
