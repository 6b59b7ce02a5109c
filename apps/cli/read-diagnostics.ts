import type { Diagnostic } from '@hyperward/model'
import type { ApiDiagnostic } from '@hyperward/protocol'

import { ApiFailure, DocumentFailure, type Sources } from './failures.ts'

/** As the catalogue knows them. A code of a newer center is rendered by its English message (render-diagnostics). */
export function toDiagnostics(diagnostics: readonly ApiDiagnostic[]): readonly Diagnostic[] {
  return diagnostics as readonly Diagnostic[] // as: the same shape but for the closed set of codes, which is checked where it is rendered
}

/** Turns the center's 422 into the diagnostics it carries, with the text they are about. */
export async function withSources<T>(sources: Sources, work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status !== 422) throw error
    const { diagnosticSchema } = await import('@hyperward/protocol')
    const { diagnostics } = error.body as { readonly diagnostics?: unknown } // as: an object; the field is parsed below
    const parsed = diagnosticSchema.array().safeParse(diagnostics)
    if (!parsed.success || parsed.data.length === 0) throw error
    throw new DocumentFailure(toDiagnostics(parsed.data), sources, error.body)
  }
}
