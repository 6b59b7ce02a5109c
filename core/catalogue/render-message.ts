import { catalogue, type Locale, type MessageKey, type MessageParams } from './catalogue.ts'

/** The sentence for a key in the reader's language. Control characters in parameters (a document may hold any) are shown as `�`. */
export function renderMessage<K extends MessageKey>(locale: Locale, key: K, params: MessageParams<K>): string {
  return renderTemplate(locale, catalogue[locale][key], params)
}

/** For parameters whose key is known only at run time, such as those of a stored diagnostic. */
export function renderTemplate(
  locale: Locale,
  template: string,
  params: Readonly<Record<string, string | number>>,
): string {
  const pieces = template.split(/(\[[^\]]*\])/)
  return pieces
    .map((piece) =>
      /^\[[^\]]*\{/.test(piece) ? renderOptional(locale, piece.slice(1, -1), params) : fill(locale, piece, params),
    )
    .join('')
}

function renderOptional(locale: Locale, piece: string, params: Readonly<Record<string, string | number>>): string {
  const names = [...piece.matchAll(/\{@?([a-zA-Z]+)\}/g)].map((match) => match[1] ?? '')
  return names.some((name) => (params[name] ?? '') === '') ? '' : fill(locale, piece, params)
}

function fill(locale: Locale, piece: string, params: Readonly<Record<string, string | number>>): string {
  return piece.replaceAll(/\{(@?)([a-zA-Z]+)\}/g, (whole, term: string, name: string) => {
    const value = params[name]
    if (value === undefined) return whole
    return term === '' ? clean(String(value)) : termText(locale, String(value))
  })
}

function termText(locale: Locale, term: string): string {
  const terms: Readonly<Record<string, string>> = catalogue[locale]
  return terms[`term.${term}`] ?? term
}

function clean(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\uFFFD')
}
