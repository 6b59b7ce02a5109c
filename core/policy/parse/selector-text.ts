/** A selector as one line of text: equal selectors give equal lines, others do not. It names the groups that are written in place. */
import type { Criterion, Selector, TenantName } from '@hyperward/model'

/** `(label app=shop|blog; not name web-*)`: no user can write such a name. `own` is the writer, whose tenant goes without saying. */
export function selectorText(selector: Exclude<Selector, { kind: 'groups' }>, own: TenantName | null): string {
  if (selector.kind === 'networks') {
    const except = selector.except.length === 0 ? '' : ` except ${selector.except.join(' ')}`
    return `(networks ${selector.networks.join(' ')}${except})`
  }
  const parts = selector.criteria.map(criterionText)
  if (own === null && selector.tenants !== null) parts.push(`tenants ${selector.tenants.join('|')}`)
  return `(${parts.join('; ')})`
}

/** Kind, key, what is asked: one order, so that what means the same is the same. */
export function compareCriteria(a: Criterion, b: Criterion): number {
  const first = criterionText(a)
  const second = criterionText(b)
  if (first === second) return 0
  return first < second ? -1 : 1
}

function criterionText(criterion: Criterion): string {
  const not = criterion.negated ? 'not ' : ''
  switch (criterion.kind) {
    case 'label':
      return `${not}label ${quote(criterion.key)}=${criterion.values.map(quote).join('|')}`
    case 'label-exists':
      return `${not}label ${quote(criterion.key)}`
    case 'name':
    case 'os':
    case 'host':
    case 'segment':
      return `${not}${criterion.kind} ${criterion.patterns.map(quote).join('|')}`
  }
}

/** Plain words stay as they are; what could be taken for the text around it is quoted. */
function quote(text: string): string {
  return /^[\p{L}\p{N}._*?:/@-]+$/u.test(text) ? text : JSON.stringify(text)
}
