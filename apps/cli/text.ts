import { renderMessage, type Locale, type MessageKey, type MessageParams } from '@hyperward/catalogue'

type Arguments<K extends MessageKey> = keyof MessageParams<K> extends never ? [] : [MessageParams<K>]

/** The catalogue in one language. Parameters are made printable by the catalogue. */
export type Text = <K extends MessageKey>(key: K, ...params: Arguments<K>) => string

export function createText(locale: Locale): Text {
  // as: a key without parameters is rendered with none, which the tuple type above has checked
  return (key, ...params) => renderMessage(locale, key, (params[0] ?? {}) as MessageParams<typeof key>)
}
