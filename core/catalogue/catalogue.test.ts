import { diagnosticCodes } from '@hyperward/model'
import { expect, test } from 'vitest'

import { catalogue, locales, type MessageKey } from './catalogue.ts'
import { renderDiagnostic } from './render-diagnostic.ts'
import { renderMessage } from './render-message.ts'

function placeholders(text: string): readonly string[] {
  return [...new Set([...text.matchAll(/\{@?[a-zA-Z]+\}/g)].map(([found]) => found))].sort()
}

test('every language has every key, and each with the same parameters', () => {
  const keys = Object.keys(catalogue.en) as MessageKey[] // the keys of a closed record
  for (const locale of locales) {
    expect(Object.keys(catalogue[locale]).toSorted()).toEqual(keys.toSorted())
    for (const key of keys) {
      // a term has braces of its own kind: it is shown, never filled
      if (key.startsWith('term.')) continue
      expect([locale, key, placeholders(catalogue[locale][key])]).toEqual([
        locale,
        key,
        placeholders(catalogue.en[key]),
      ])
    }
  }
})

test('no Chinese sentence was left in English', () => {
  for (const code of diagnosticCodes) expect(catalogue['zh-CN'][code]).toMatch(/\p{Script=Han}/u)
})

test('an optional part is left out when its parameter is empty', () => {
  expect(renderMessage('en', 'group.unknown', { group: 'wbe', nearest: '' })).toBe('There is no group "wbe".')
  expect(renderMessage('zh-CN', 'group.unknown', { group: 'wbe', nearest: 'web' })).toBe(
    '没有名为“wbe”的组。您是否要写“web”？',
  )
})

test('terms are rendered in the language of the sentence', () => {
  const params = { expected: 'list', actual: 'text' }
  expect(renderDiagnostic('en', { code: 'field.wrong-type', params })).toBe(
    'This must be a list, but it is a single value.',
  )
  expect(renderDiagnostic('zh-CN', { code: 'field.wrong-type', params })).toBe('此处必须是列表，但实际是单个值。')
})

test('control characters of a document never reach a terminal, and braces in it are not filled', () => {
  const text = renderMessage('en', 'group.unknown', { group: '\u001B[2J{nearest}\u202E', nearest: 'web' })
  expect(text).toBe('There is no group "\uFFFD[2J{nearest}\uFFFD". Did you mean "web"?')
})
