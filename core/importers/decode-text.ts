/** Bytes of a file of unknown origin → text. UTF-8 with or without a byte order mark, and UTF-16 with one; everything else is refused, never guessed. */
import type { Report } from './report.ts'

/** Firewall files of a whole data center are a few megabytes; what is larger is the wrong file. */
export const importMaxBytes = 16 * 1024 * 1024

export interface ImportFile {
  /** Shown in diagnostics; for Proxmox it tells whose file it is (`cluster.fw`, `100.fw`). Nothing is opened. */
  readonly name: string
  readonly content: string | Uint8Array
  /** Where `content` is only the beginning of what is there: how much there is. */
  readonly sizeBytes?: number
}

export interface SourceText {
  readonly file: string
  readonly text: string
}

export function decodeText({ name, content, sizeBytes }: ImportFile, report: Report): SourceText | null {
  const place = { file: name, line: 1, column: 1 }
  const size = sizeBytes ?? content.length
  if (size > importMaxBytes) {
    report.add('import.too-large', place, { size, limit: importMaxBytes })
    return null
  }
  const text = typeof content === 'string' ? content : decodeBytes(content)
  if (text === null) {
    report.add('import.encoding', place, {})
    return null
  }
  // a tab, a line feed, a carriage return and a form feed are the control characters of text files
  const binary = /(?![\t\n\f\r])\p{Cc}/u.exec(text)
  if (binary !== null) {
    const line = text.slice(0, binary.index).split('\n').length
    report.add('import.binary', { file: name, line, column: 1 }, { offset: binary.index })
    return null
  }
  return { file: name, text: text.replace(/^\uFEFF/, '') }
}

function decodeBytes(bytes: Uint8Array): string | null {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8' // prettier-ignore
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes)
  } catch {
    // what is not valid in the encoding that its first bytes name has no text
    return null
  }
}
