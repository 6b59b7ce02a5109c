import { pino } from 'pino'

import type { Services } from '../services/services.ts'
import { createApp } from './create-app.ts'

/** What is used here of an OpenAPI document; the plugin's own type is also that of its YAML text. */
interface Document {
  readonly components?: { readonly schemas?: Readonly<Record<string, unknown>> }
}

/** The document as committed in schema/openapi.json: made from the routes themselves, keys sorted, so that the same routes give the same bytes. */
export async function renderOpenApi(): Promise<string> {
  // routes are only described here, never called: none of the services is touched
  const services = {} as Services
  const app = await createApp(services, { https: null, logger: pino({ level: 'silent' }) })
  try {
    return `${JSON.stringify(sortKeys(withoutUnused(app.swagger() as Document)), null, 2)}\n`
  } finally {
    await app.close()
  }
}

/** Each schema is made for requests and for answers; what no route refers to is left out. */
function withoutUnused(document: Document): Document {
  const schemas = document.components?.schemas ?? {}
  const used = new Set<string>()
  const visit = (value: unknown): void => {
    for (const [, name] of JSON.stringify(value).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) {
      if (name === undefined || used.has(name)) continue
      used.add(name)
      visit(schemas[name] ?? null)
    }
  }
  visit({ ...document, components: undefined })
  const kept = Object.fromEntries(Object.entries(schemas).filter(([name]) => used.has(name)))
  return { ...document, components: { ...document.components, schemas: kept } }
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))
  return Object.fromEntries(entries.map(([key, each]) => [key, sortKeys(each)]))
}
