import { diagnosticCodes, operationErrorCodes } from '@hyperward/model'
import { expect, test } from 'vitest'
import { listFiles, readText } from './source-files.ts'

const documented = [...readText('docs/errors.md').matchAll(/^## `([a-z0-9.-]+)`$/gm)].map((match) => match[1])
const codes: readonly string[] = [...diagnosticCodes, ...operationErrorCodes]

test('every error code has a heading in docs/errors.md', () => {
  expect(codes.filter((code) => !documented.includes(code))).toEqual([])
})

test('every heading of docs/errors.md is a code', () => {
  expect(documented.filter((code) => !codes.includes(code ?? ''))).toEqual([])
})

test('no code and no heading stands twice, and the lists are sorted', () => {
  expect(new Set(documented).size).toBe(documented.length)
  expect(new Set(codes).size).toBe(codes.length)
  expect([...diagnosticCodes]).toEqual([...diagnosticCodes].toSorted())
  expect([...operationErrorCodes]).toEqual([...operationErrorCodes].toSorted())
})

test('every code is used by the product', () => {
  const product = listFiles(/^(?:core|drivers|lib|apps)\/.*\.ts$/)
    .filter(
      (file) =>
        !file.includes('.test.') && !file.startsWith('core/model/codes/') && !file.startsWith('core/catalogue/'),
    )
    .map(readText)
    .join('\n')
  // alone as a value, or at the head of a sentence: 'code: …'
  expect(codes.filter((code) => !product.includes(`'${code}'`) && !product.includes(`'${code}: `))).toEqual([])
})
