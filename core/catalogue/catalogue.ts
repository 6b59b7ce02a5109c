/**
 * Every text shown to users, by key, in each language. English is the reference: another language must have the same keys (it does not compile
 * otherwise) with the same parameters (a test). Each part keeps its own file per language, merged here: diagnostics, terms, `cli.*`, `language.*`, `event.*`.
 *
 * Template form: `{name}` is a parameter; `{@name}` a parameter whose value is the tail of a `term.*` key; `[…]` is left out when a parameter inside it is empty.
 */
import { cliHelpEn } from './en/cli-help.ts'
import { cliEn } from './en/cli.ts'
import { diagnosticsEn } from './en/diagnostics.ts'
import { languageEn } from './en/language.ts'
import { termsEn } from './en/terms.ts'
import { cliHelpZhCn } from './zh-cn/cli-help.ts'
import { cliZhCn } from './zh-cn/cli.ts'
import { diagnosticsZhCn } from './zh-cn/diagnostics.ts'
import { languageZhCn } from './zh-cn/language.ts'
import { termsZhCn } from './zh-cn/terms.ts'

const en = { ...cliHelpEn, ...cliEn, ...diagnosticsEn, ...languageEn, ...termsEn } as const

export type MessageKey = keyof typeof en
export type Locale = 'en' | 'zh-CN'
export const locales: readonly Locale[] = ['en', 'zh-CN']

type ParamName<P extends string> = P extends `@${infer N}` ? N : P
type ParamNames<T extends string> = T extends `${string}{${infer P}}${infer Rest}`
  ? ParamName<P> | ParamNames<Rest>
  : never

/** The parameters a key's English sentence takes. */
export type MessageParams<K extends MessageKey> = Readonly<Record<ParamNames<(typeof en)[K]>, string | number>>
export type TermKey = keyof typeof termsEn extends infer K ? (K extends `term.${infer T}` ? T : never) : never

export const catalogue: Readonly<Record<Locale, Readonly<Record<MessageKey, string>>>> = {
  en,
  'zh-CN': { ...cliHelpZhCn, ...cliZhCn, ...diagnosticsZhCn, ...languageZhCn, ...termsZhCn },
}
