import type { DocumentReader, Field } from '../document/document-reader.ts'

export function readInteger(reader: DocumentReader, field: Field, from: number, to: number): number | null {
  const text = reader.text(field)
  if (text === null) return null
  const value = /^-?\d{1,12}$/.test(text) ? Number(text) : Number.NaN
  if (value >= from && value <= to) return value
  reader.report.add('number.out-of-range', field.path, field.place, { text, from, to })
  return null
}
