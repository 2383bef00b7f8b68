import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { rowDistance } from './embedded-episodes.ts'
import { positionsWhere, ratioStatistic, undefinedStatistic } from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, smallest, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Frames that look for their neighbours, and frames among which they look, evenly from all episodes. */
const QUERIES = 1000
const CANDIDATES = 2000
const RECALL_AT = [1, 5, 10] as const

const TIED = 'every frame is as near as every other'

/** Distances in embedding of one query to all candidates of other episodes, whose numbers are in `candidates`. */
interface Search {
  /** Position of the query's episode, and its row in the list of queries. */
  readonly episode: number
  readonly query: number
  readonly candidates: Int32Array
  /** As many as there are candidates. */
  readonly distances: Float64Array
}

function* searches(
  data: EmbeddedEpisodes,
  queries: FrameList,
  frames: FrameList,
  pick: (episode: EmbeddedEpisode) => Float32Array = (episode) => episode.embeddings,
): Generator<Search> {
  const from = gatherRows(data, queries, pick)
  const to = gatherRows(data, frames, pick)
  for (let query = 0; query < queries.count; query++) {
    const episode = queries.episode[query]!
    const candidates = new Int32Array(frames.count)
    const distances = new Float64Array(frames.count)
    let count = 0
    for (let c = 0; c < frames.count; c++) {
      if (frames.episode[c] === episode) continue
      candidates[count] = c
      distances[count++] = rowDistance(from.data, query, to.data, c, from.size)
    }
    yield { episode, query, candidates: candidates.subarray(0, count), distances: distances.subarray(0, count) }
  }
}

function isTied(distances: Float64Array): boolean {
  return distances.every((distance) => distance === distances[0])
}

/** Sums over the queries of each episode. */
interface NeighbourSums {
  readonly episodes: readonly number[]
  /** True distances of the nearest in embedding and of a random frame, both beyond that of the truly nearest. */
  readonly error: Float64Array
  readonly randomError: Float64Array
  /** Of each of {@link RECALL_AT}: queries whose truly nearest frame is found. */
  readonly found: readonly Float64Array[]
  readonly queries: Float64Array
  /** Of each of {@link RECALL_AT}: the same where as many frames are drawn at random, mean over queries. */
  readonly luck: readonly number[]
  readonly allTied: boolean
}

/** The same data are asked for by two measures. */
const sumsOf = new WeakMap<EmbeddedEpisodes, NeighbourSums | undefined>()

function neighbourSums(data: EmbeddedEpisodes): NeighbourSums | undefined {
  if (!sumsOf.has(data)) sumsOf.set(data, countNeighbours(data))
  return sumsOf.get(data)
}

function countNeighbours(data: EmbeddedEpisodes): NeighbourSums | undefined {
  const episodes = positionsWhere(data, ({ states }) => states !== undefined)
  if (episodes.length < 2) return undefined
  const queries = spacedFrames(data, episodes, QUERIES)
  const frames = spacedFrames(data, episodes, CANDIDATES)
  const queryStates = gatherRows(data, queries, (episode) => episode.states!)
  const states = gatherRows(data, frames, (episode) => episode.states!)
  const size = states.size
  const slot = new Map(episodes.map((episode, i) => [episode, i]))
  const sums = (): Float64Array => new Float64Array(episodes.length)
  const result = {
    episodes,
    error: sums(),
    randomError: sums(),
    found: RECALL_AT.map(sums),
    luck: RECALL_AT.map(() => 0),
    queries: sums(),
  }
  let allTied = true
  for (const { episode, query, candidates, distances } of searches(data, queries, frames)) {
    const at = slot.get(episode)!
    const state = queryStates.data.subarray(query * size, (query + 1) * size)
    const truth = Float64Array.from(candidates, (c) =>
      data.stateDistance!(state, states.data.subarray(c * size, (c + 1) * size)),
    )
    const best = truth.reduce((least, d) => Math.min(least, d), Infinity)
    allTied &&= isTied(distances)
    result.queries[at]!++
    result.error[at]! += trueDistanceOfNearest(distances, truth) - best
    result.randomError[at]! += truth.reduce((sum, d) => sum + d, 0) / truth.length - best
    const isRight = (c: number): boolean => truth[c] === best
    const right = truth.reduce((sum, d) => sum + (d === best ? 1 : 0), 0)
    for (const [i, k] of RECALL_AT.entries()) {
      result.found[i]![at]! += chanceFound(distances, isRight, k)
      result.luck[i]! += chanceOfHit(candidates.length, right, k) / queries.count
    }
  }
  return { ...result, allTied }
}

/** Mean true distance of the candidates that tie for the nearest in embedding. */
function trueDistanceOfNearest(distances: Float64Array, truth: Float64Array): number {
  let nearest = Infinity
  let sum = 0
  let count = 0
  for (let c = 0; c < distances.length; c++) {
    const distance = distances[c]!
    if (distance > nearest) continue
    if (distance < nearest) {
      nearest = distance
      sum = count = 0
    }
    sum += truth[c]!
    count++
  }
  return sum / count
}

/**
 * Share of frames whose truly nearest frame of all OTHER episodes is among their k nearest in embedding; a row each for k = 1, 5,
 * 10. 0 to 1, best 1, chance as many draws at random; where several frames are as near in truth, each is right. Strict: the second-best frame may be as good, see {@link neighbourError}. NaN
 * where all embeddings tie.
 */
const neighbourRecall: Measure = {
  name: 'neighbours/recall',
  title: 'True nearest frame found in other episodes (recall@k)',
  direction: 'higher',
  scale: 'share',
  chance: NaN,
  best: 1,
  needs: ['states', 'state-distance'],
  statistics(data) {
    const sums = neighbourSums(data)
    return RECALL_AT.map((k, i) => {
      const name = `neighbours/recall@${k}`
      if (sums === undefined) return undefinedStatistic(name, 'fewer than two episodes with states')
      if (sums.allTied) return undefinedStatistic(name, TIED)
      return ratioStatistic(name, sums.episodes, sums.found[i]!, sums.queries, sums.luck[i]!)
    })
  },
}

/**
 * Excess true distance of the frame that is nearest in embedding, among OTHER episodes, over the truly nearest one, relative to
 * that of a random frame. Best 0, chance 1; NaN where all embeddings tie or all states are as far from each other.
 */
const neighbourError: Measure = {
  name: 'neighbours/error',
  title: 'Excess distance of the nearest frame of other episodes (random = 1)',
  direction: 'lower',
  scale: 'positive',
  chance: 1,
  best: 0,
  needs: ['states', 'state-distance'],
  statistics(data) {
    const name = 'neighbours/error'
    const sums = neighbourSums(data)
    if (sums === undefined) return [undefinedStatistic(name, 'fewer than two episodes with states')]
    if (sums.allTied) return [undefinedStatistic(name, TIED)]
    if (sums.randomError.every((error) => error === 0)) {
      return [undefinedStatistic(name, 'all states are as far from each other')]
    }
    return [ratioStatistic(name, sums.episodes, sums.error, sums.randomError)]
  },
}

/** Chance that a right candidate is among the k nearest; 0 or 1 but for ties at the k-th place, which are drawn from. */
function chanceFound(distances: Float64Array, isRight: (candidate: number) => boolean, k: number): number {
  const nearest = smallest(distances, k)
  const limit = distances[nearest.at(-1)!]!
  const closer = nearest.filter((c) => distances[c]! < limit)
  if (closer.some(isRight)) return 1
  let tied = 0
  let right = 0
  for (let c = 0; c < distances.length; c++) {
    if (distances[c] !== limit) continue
    tied++
    if (isRight(c)) right++
  }
  return chanceOfHit(tied, right, nearest.length - closer.length)
}

/** Chance that one of `draws` without replacement from `total` candidates is one of the `right` ones. */
function chanceOfHit(total: number, right: number, draws: number): number {
  let miss = 1
  for (let draw = 0; draw < Math.min(draws, total); draw++) miss *= Math.max(0, total - right - draw) / (total - draw)
  return 1 - miss
}

/**
 * Share of frames for which a frame of another episode with the same objects is among the k nearest in embedding, mean over sets
 * of objects, of which one that is never found counts 0 (Sermanet et al. 2018 leave it out, which flatters); a row each for k = 1,
 * 5. 0 to 1, best 1, chance as many draws at random. Sets of a single episode cannot be found and are left out. NaN for fewer than
 * two sets or where all embeddings tie.
 */
const objectRecall: Measure = {
  name: 'retrieval/objects',
  title: 'Same objects found in other episodes (recall@k)',
  direction: 'higher',
  scale: 'share',
  chance: NaN,
  best: 1,
  needs: ['objects'],
  statistics: (data) => [1, 5].map((k) => objectStatistic(`retrieval/objects@${k}`, data, k)),
}

function objectStatistic(name: string, data: EmbeddedEpisodes, k: number): EpisodeStatistic {
  const labelOf = ({ objects }: EmbeddedEpisode): string | undefined => objects?.toSorted((a, b) => a - b).join(',')
  const all = positionsWhere(data, (episode) => episode.objects !== undefined)
  const labels = all.map((position) => labelOf(data.episodes[position]!)!)
  const repeated = [...new Set(labels)].filter((label) => labels.indexOf(label) !== labels.lastIndexOf(label))
  if (repeated.length < 2) {
    return undefinedStatistic(name, 'fewer than two sets of objects that occur in two episodes each')
  }
  const episodes = all.filter((_, i) => repeated.includes(labels[i]!))
  const slot = new Map(episodes.map((position, i) => [position, i]))
  const kinds = data.episodes.map((episode) => repeated.indexOf(labelOf(episode) ?? ''))
  const frames = spacedFrames(data, episodes, CANDIDATES)
  const found = new Float64Array(episodes.length)
  const queries = new Float64Array(episodes.length)
  const luck = new Float64Array(episodes.length)
  let allTied = true
  for (const { episode, candidates, distances } of searches(data, spacedFrames(data, episodes, QUERIES / 2), frames)) {
    const at = slot.get(episode)!
    const isRight = (c: number): boolean => kinds[frames.episode[candidates[c]!]!] === kinds[episode]
    allTied &&= isTied(distances)
    queries[at]!++
    found[at]! += chanceFound(distances, isRight, k)
    luck[at]! += chanceOfHit(
      distances.length,
      candidates.reduce((sum, _, c) => sum + (isRight(c) ? 1 : 0), 0),
      k,
    )
  }
  if (allTied) return undefinedStatistic(name, TIED)
  const groups = repeated.map((_, kind) => episodes.flatMap((position, i) => (kinds[position] === kind ? [i] : [])))
  const ones = new Float64Array(data.episodes.length).fill(1)
  return {
    name,
    episodes,
    chance: meanOfGroups(groups, episodes, { hits: luck, queries }, ones),
    evaluate: (counts) => meanOfGroups(groups, episodes, { hits: found, queries }, counts),
  }
}

/** Mean over groups (of places in `episodes`) of hits / queries; a group that no episode of is drawn is left out. */
function meanOfGroups(
  groups: readonly (readonly number[])[],
  episodes: readonly number[],
  { hits, queries }: { readonly hits: Float64Array; readonly queries: Float64Array },
  counts: Float64Array,
): number {
  let sum = 0
  let present = 0
  for (const group of groups) {
    let above = 0
    let below = 0
    for (const i of group) {
      above += counts[episodes[i]!]! * hits[i]!
      below += counts[episodes[i]!]! * queries[i]!
    }
    if (below === 0) continue
    present++
    sum += above / below
  }
  return sum / present
}

/** What lies near, in other episodes. */
export const neighbourMeasures: readonly Measure[] = [neighbourRecall, neighbourError, objectRecall]
