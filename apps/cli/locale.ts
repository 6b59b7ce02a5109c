import type { Locale } from '@hyperward/catalogue'

/** POSIX order: LC_ALL, LC_MESSAGES, LANG; the first that is set decides. Every Chinese locale reads zh-CN, all others English. */
export function toLocale(env: Readonly<Record<string, string | undefined>>): Locale {
  const name =
    [env['LC_ALL'], env['LC_MESSAGES'], env['LANG']].find((value) => value !== undefined && value !== '') ?? ''
  return /^zh(?:[_.@-]|$)/i.test(name) ? 'zh-CN' : 'en'
}
