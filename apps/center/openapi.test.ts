import { readFile } from 'node:fs/promises'

import { expect, test } from 'vitest'

import { renderOpenApi } from './http/render-openapi.ts'

test('schema/openapi.json is what the routes say (renew it with `node apps/center/openapi.ts > schema/openapi.json`)', async () => {
  const committed = await readFile(new URL('../../schema/openapi.json', import.meta.url), 'utf8')
  expect(await renderOpenApi()).toBe(committed)
})

test('the document tells each route’s action, and refuses unknown fields', async () => {
  const document = JSON.parse(await renderOpenApi())
  expect(document.openapi).toBe('3.1.0')
  expect(document.paths['/v1/policy/publish'].post['x-action']).toBe('policy:publish')
  const body = document.paths['/v1/policy/publish'].post.requestBody.content['application/json'].schema
  expect(body.additionalProperties).toBe(false)
})
