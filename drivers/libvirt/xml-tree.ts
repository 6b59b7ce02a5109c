/** XML as a plain tree with namespaces resolved, from text that may be hostile: bounded, no document type, no entities but XML's five. */
import { XMLParser, XMLValidator } from 'fast-xml-parser'

export interface XmlElement {
  /** Local name. */
  readonly name: string
  /** '' = none. */
  readonly namespace: string
  /** By name as written, prefix included; without xmlns declarations. */
  readonly attributes: ReadonlyMap<string, string>
  readonly children: readonly XmlElement[]
  /** All text directly inside, trimmed. */
  readonly text: string
}

const maxBytes = 4 * 1024 * 1024
const maxDepth = 64
const attributesKey = ':@'
const textKey = '#text'

/** The root element, or why there is none. */
export function parseXml(text: string): XmlElement | string {
  if (text.length > maxBytes) return `longer than ${maxBytes} characters`
  if (/<!(?:DOCTYPE|ENTITY)/i.test(text)) return 'it has a document type'
  try {
    const valid = XMLValidator.validate(text)
    if (valid !== true) return `line ${valid.err.line}: ${valid.err.msg}`
    const parser = new XMLParser({
      preserveOrder: true,
      ignoreAttributes: false,
      attributeNamePrefix: '',
      parseTagValue: false,
      parseAttributeValue: false,
      ignoreDeclaration: true,
      ignorePiTags: true,
      processEntities: true,
      maxNestedTags: maxDepth,
    })
    const parsed: unknown = parser.parse(text)
    const roots = toChildren(parsed, new Map(), 0)
    const [root] = roots
    return root === undefined || roots.length > 1 ? 'it has no single root element' : root
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

export function childrenNamed(element: XmlElement, name: string): readonly XmlElement[] {
  return element.children.filter((child) => child.name === name && child.namespace === element.namespace)
}

/** Nodes are `{ tagName: children, ':@': attributes }` or `{ '#text': text }`. */
function toChildren(nodes: unknown, scope: ReadonlyMap<string, string>, depth: number): XmlElement[] {
  if (!Array.isArray(nodes)) throw new Error('not a list of nodes')
  if (depth > maxDepth) throw new Error(`nested deeper than ${maxDepth}`)
  const elements: XmlElement[] = []
  for (const node of nodes as readonly unknown[]) {
    if (typeof node !== 'object' || node === null) continue
    for (const [tag, content] of Object.entries(node)) {
      if (tag !== attributesKey && tag !== textKey) elements.push(toElement(tag, content, node, scope, depth))
    }
  }
  return elements
}

function toElement(
  tag: string,
  content: unknown,
  node: object,
  outer: ReadonlyMap<string, string>,
  depth: number,
): XmlElement {
  const attributes = new Map<string, string>()
  const scope = new Map(outer)
  const written: unknown = attributesKey in node ? node[attributesKey] : {}
  for (const [name, value] of Object.entries(written ?? {})) {
    const text = String(value)
    if (name === 'xmlns') scope.set('', text)
    else if (name.startsWith('xmlns:')) scope.set(name.slice('xmlns:'.length), text)
    else attributes.set(name, text)
  }
  const colon = tag.indexOf(':')
  const prefix = colon < 0 ? '' : tag.slice(0, colon)
  const namespace = scope.get(prefix)
  if (namespace === undefined && prefix !== '') throw new Error(`undeclared namespace prefix ${prefix}`)
  return {
    name: tag.slice(colon + 1),
    namespace: namespace ?? '',
    attributes,
    children: toChildren(content, scope, depth + 1),
    text: textOf(content),
  }
}

function textOf(content: unknown): string {
  if (!Array.isArray(content)) return ''
  const parts = (content as readonly unknown[]).map((node) =>
    typeof node === 'object' && node !== null && textKey in node ? String(node[textKey]) : '',
  )
  return parts.join('').trim()
}
