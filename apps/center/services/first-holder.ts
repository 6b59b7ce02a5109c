/** Who has what several claim: the first who claimed it, for as long as it does; the administrator's word goes before any claim. */
export interface FirstHolder {
  /** Until `begin`, that holder goes first, whoever claims before it: what was so before a restart. */
  prefer(claim: string, holder: string): void
  begin(): void
  /** Replaces all that `claimant` claims, each once; tells what has another holder now. */
  set(claimant: string, claims: readonly ClaimBy[]): readonly HolderChange[]
  holder(claim: string): string | null
  /** Claimed by several: the holder first. */
  contested(): ReadonlyMap<string, readonly string[]>
}

export interface ClaimBy {
  readonly claim: string
  readonly holder: string
  /** Goes before every claim without. */
  readonly word: boolean
}

export interface HolderChange {
  readonly claim: string
  readonly from: string | null
  readonly to: string | null
}

export function createFirstHolder(): FirstHolder {
  const preferred = new Map<string, string>()
  const byClaim = new Map<string, readonly ClaimBy[]>()
  const byClaimant = new Map<string, readonly ClaimBy[]>()
  const contested = new Map<string, readonly string[]>()
  const holderOf = (claim: string): string | null => byClaim.get(claim)?.[0]?.holder ?? null

  const put = (claim: string, list: readonly ClaimBy[]): void => {
    const first = list.find((each) => each.word) ?? list.find((each) => each.holder === preferred.get(claim)) ?? list[0]
    if (first === undefined) byClaim.delete(claim)
    else byClaim.set(claim, list.length === 1 ? list : [first, ...list.filter((each) => each !== first)])
    if (list.length > 1)
      contested.set(
        claim,
        (byClaim.get(claim) ?? []).map((each) => each.holder),
      )
    else contested.delete(claim)
  }

  return {
    prefer: (claim, holder) => void preferred.set(claim, holder),
    begin: () => preferred.clear(),
    set(claimant, claims) {
      const before = byClaimant.get(claimant) ?? []
      const known = new Map(before.map((each) => [keyOf(each), each]))
      const next = claims.map((each) => known.get(keyOf(each)) ?? each)
      if (next.length === 0) byClaimant.delete(claimant)
      else byClaimant.set(claimant, next)
      const kept = new Set(next)
      const old = new Set(before)
      const from = new Map<string, string | null>()
      for (const each of [...before, ...next]) {
        if (!kept.has(each) || !old.has(each)) from.set(each.claim, holderOf(each.claim))
      }
      // what comes is put before what goes: a claim that becomes the administrator's word is held throughout
      for (const each of next) if (!old.has(each)) put(each.claim, [...(byClaim.get(each.claim) ?? []), each])
      for (const each of before) {
        if (!kept.has(each)) {
          put(
            each.claim,
            (byClaim.get(each.claim) ?? []).filter((other) => other !== each),
          )
        }
      }
      return [...from].flatMap(([claim, holder]) => {
        const to = holderOf(claim)
        return to === holder ? [] : [{ claim, from: holder, to }]
      })
    },
    holder: holderOf,
    contested: () => contested,
  }
}

function keyOf({ claim, holder, word }: ClaimBy): string {
  return `${claim} ${holder} ${word}`
}
