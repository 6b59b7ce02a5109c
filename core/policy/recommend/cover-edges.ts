/** Who was seen talking to whom with one service → few pairs of sets, every member of the one with every member of the other. */

/** By keys of parties. */
export interface Edge {
  readonly source: string
  readonly destination: string
}

export interface Rectangle {
  readonly sources: ReadonlySet<string>
  readonly destinations: ReadonlySet<string>
}

/** A set of parties that a label selects, of which some were seen. */
export interface Candidate {
  readonly key: string
  readonly members: ReadonlySet<string>
}

/**
 * Nothing but what was seen: each rectangle is filled, but for a party with itself. Three ways of cutting are tried (destinations with the same sources;
 * sources with the same destinations; parties that all talk to each other) and the one with the fewest pieces is taken.
 */
export function coverExactly(edges: readonly Edge[]): readonly Rectangle[] {
  const cuts = [
    cutByDestination(edges, false),
    cutByDestination(edges.map(turn), false).map(turnBack),
    cutByDestination(edges, true),
  ]
  return cuts.reduce((best, cut) => (cut.length < best.length ? cut : best))
}

/**
 * Sets that labels select, even where not every pair was seen: a pair of sets is taken when at least `share` of the sources were each seen talking to one of
 * the destinations and at least `share` of the destinations were each talked to. What is left is covered exactly.
 */
export function coverByCandidates(
  edges: readonly Edge[],
  candidatesOf: (party: string) => readonly Candidate[],
  share: number,
): readonly Rectangle[] {
  const pairs = new Map<string, CandidatePair>()
  for (const edge of edges) {
    const destinations = candidatesOf(edge.destination)
    for (const from of candidatesOf(edge.source)) {
      for (const to of destinations) {
        const key = `${from.key}\n${to.key}`
        const pair = pairs.get(key) ?? { from, to, edges: [], sources: new Set(), destinations: new Set() }
        pairs.set(key, pair)
        pair.edges.push(edge)
        pair.sources.add(edge.source)
        pair.destinations.add(edge.destination)
      }
    }
  }
  const asked = [...pairs.values()].filter(
    ({ from, to, edges: inside, sources, destinations }) =>
      inside.length > 1 && sources.size >= from.members.size * share && destinations.size >= to.members.size * share,
  )
  const left = new Set(edges)
  const chosen = choosePairs(asked, left).map(({ from, to }) => ({ sources: from.members, destinations: to.members }))
  return left.size === 0 ? chosen : [...chosen, ...coverExactly([...left])]
}

/** Always the pair that covers most of what is left, of equals the narrowest; takes what is covered out of `left`. What a pair covers only shrinks, so each waits at its last count. */
function choosePairs(asked: readonly CandidatePair[], left: Set<Edge>): readonly CandidatePair[] {
  const byGain = Map.groupBy(asked, (pair) => pair.edges.length)
  const chosen: CandidatePair[] = []
  for (let gain = Math.max(0, ...byGain.keys()); gain > 1; gain -= 1) {
    for (const pair of (byGain.get(gain) ?? []).sort(comparePairs)) {
      const still = pair.edges.filter((edge) => left.has(edge))
      if (still.length === gain) {
        for (const edge of still) left.delete(edge)
        chosen.push(pair)
      } else if (byGain.get(still.length)?.push(pair) === undefined) byGain.set(still.length, [pair])
    }
  }
  return chosen
}

interface CandidatePair {
  readonly from: Candidate
  readonly to: Candidate
  readonly edges: Edge[]
  readonly sources: Set<string>
  readonly destinations: Set<string>
}

/** The narrowest first. */
function comparePairs(a: CandidatePair, b: CandidatePair): number {
  const width = ({ from, to }: CandidatePair): number => from.members.size * to.members.size
  const key = ({ from, to }: CandidatePair): string => `${from.key}\n${to.key}`
  return width(a) - width(b) || (key(a) < key(b) ? -1 : 1)
}

/** Destinations with the same set of sources make one piece; `among`: a party counts as its own source, so that a full mesh is one piece. */
function cutByDestination(edges: readonly Edge[], among: boolean): readonly Rectangle[] {
  const sources = new Map<string, Set<string>>()
  for (const { source, destination } of edges) {
    const known = sources.get(destination) ?? new Set(among ? [destination] : [])
    sources.set(destination, known.add(source))
  }
  const pieces = Map.groupBy(sources.keys(), (destination) => [...(sources.get(destination) ?? [])].sort().join('\n'))
  const seen = new Set(edges.map(({ source, destination }) => `${source}\n${destination}`))
  return [...pieces].map(([key, destinations]) => {
    const talking = key
      .split('\n')
      .filter((source) => destinations.some((destination) => seen.has(`${source}\n${destination}`)))
    return { sources: new Set(talking), destinations: new Set(destinations) }
  })
}

function turn({ source, destination }: Edge): Edge {
  return { source: destination, destination: source }
}

function turnBack({ sources, destinations }: Rectangle): Rectangle {
  return { sources: destinations, destinations: sources }
}
