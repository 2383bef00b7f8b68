import type { EmbeddedEpisode, EmbeddedEpisodes } from '../measures/embedded-episodes.ts'
import { rowDistance } from '../measures/embedded-episodes.ts'
import { quantile } from '../statistics.ts'
import type { Exhibits, FrameAt } from './exhibits.ts'
import { heatMaps } from './heat-map.ts'
import type { Curve, EpisodeKind, Figures, Hack, HeatMap, Neighbour, Retrieval } from './model.ts'
import { dimensionSpread } from './spectrum.ts'

const SCALE_PAIRS = 2000
const NEIGHBOURS = 5
const CONFUSIONS = 2
const HACKS = 6

/** Everything that is drawn of one encoder; `probes` are measured elsewhere. */
export function encoderFigures(data: EmbeddedEpisodes, exhibits: Exhibits, probes: Figures['probes']): Figures {
  const { episodes, embeddingSize: size } = data
  const scale = embeddingScale(data)
  return {
    curves: exhibits.curves.map(({ kind, position }) =>
      curve(episodes[position]!, kind, (t) => episodes[position]!.rewards![t]! / scale),
    ),
    pairs: exhibits.pairs.flatMap(({ position, time }) => {
      const { rewards, goalDistances } = episodes[position]!
      if (rewards === undefined || goalDistances === undefined) return []
      return [{ embedded: -rewards[time]! / scale, true: goalDistances[time]! }]
    }),
    retrievals: exhibits.queries.map((query) => retrieve(data, query, NEIGHBOURS, scale)),
    confusions: worstConfusions(exhibits.confusionQueries.map((query) => retrieve(data, query, 1, scale))),
    heatMaps: goalMaps(data, exhibits, (episode, t, goal) => {
      return -rowDistance(episode.embeddings, t, goal.goals!, 0, size) / scale
    }),
    ...dimensionSpread(data),
    probes,
    hacks: hacks(episodes, exhibits.successRadius, scale),
  }
}

/** What the same figures would be for a reward that is minus the true distance. */
export function trueFigures(data: EmbeddedEpisodes, exhibits: Exhibits): Pick<Figures, 'curves' | 'heatMaps'> {
  const { episodes, goalDistance, stateNames = [] } = data
  const withDistance = exhibits.curves.filter(({ position }) => episodes[position]!.goalDistances !== undefined)
  const stateAt = ({ states }: EmbeddedEpisode, t: number): Float32Array =>
    states!.subarray(t * stateNames.length, (t + 1) * stateNames.length)
  return {
    curves: withDistance.map(({ kind, position }) =>
      curve(episodes[position]!, kind, (t) => -episodes[position]!.goalDistances![t]!),
    ),
    heatMaps:
      goalDistance === undefined
        ? []
        : goalMaps(data, exhibits, (episode, t, { goal }) =>
            goal === undefined ? NaN : -goalDistance(stateAt(episode, t), goal),
          ),
  }
}

function curve(episode: EmbeddedEpisode, kind: EpisodeKind, valueAt: (time: number) => number): Curve {
  const values = Array.from({ length: episode.length }, (_, t) => valueAt(t))
  return { kind, episode: episode.index, values: kind === 'reversed' ? values.toReversed() : values }
}

function goalMaps(
  data: EmbeddedEpisodes,
  { mapGoal }: Exhibits,
  valueAt: (episode: EmbeddedEpisode, time: number, goal: EmbeddedEpisode) => number,
): HeatMap[] {
  const goal = mapGoal === undefined ? undefined : data.episodes[mapGoal]!
  return goal?.goals === undefined ? [] : heatMaps(data, goal, (episode, t) => valueAt(episode, t, goal))
}

/** Median distance of frames of two different episodes: the unit in which the embeddings of all encoders are drawn. */
function embeddingScale({ episodes, embeddingSize }: EmbeddedEpisodes): number {
  // Fractions of a golden-ratio sequence instead of draws: the unit depends on no seed.
  const fraction = (i: number, step: number): number => (i * step) % 1
  const distances: number[] = []
  for (let i = 1; i <= SCALE_PAIRS; i++) {
    const a = episodes[Math.floor(fraction(i, 0.8566748838545029) * episodes.length)]!
    const b = episodes[Math.floor(fraction(i, 0.733891856627126) * episodes.length)]!
    const s = Math.floor(fraction(i, 0.6287067210378087) * a.length)
    const t = Math.floor(fraction(i, 0.5385972572236101) * b.length)
    if (a !== b) distances.push(rowDistance(a.embeddings, s, b.embeddings, t, embeddingSize))
  }
  const median = quantile(distances, 0.5)
  return median > 0 ? median : 1
}

/** The frames of other episodes nearest to a frame, at most one an episode: neighbours in time would fill the list. */
function retrieve(data: EmbeddedEpisodes, query: FrameAt, count: number, scale: number): Retrieval {
  const { episodes, embeddingSize: size, stateDistance, stateNames = [] } = data
  const from = episodes[query.position]!
  const stateOf = ({ states }: EmbeddedEpisode, t: number): Float32Array =>
    states!.subarray(t * stateNames.length, (t + 1) * stateNames.length)
  const candidates: Neighbour[] = []
  for (const other of episodes) {
    if (other === from) continue
    let time = 0
    let least = Infinity
    for (let t = 0; t < other.length; t++) {
      const distance = rowDistance(from.embeddings, query.time, other.embeddings, t, size)
      if (distance < least) [time, least] = [t, distance]
    }
    const known = stateDistance !== undefined && from.states !== undefined && other.states !== undefined
    candidates.push({
      episode: other.index,
      time,
      embedded: least / scale,
      true: known ? stateDistance(stateOf(from, query.time), stateOf(other, time)) : NaN,
    })
  }
  return {
    query: { episode: from.index, time: query.time },
    nearest: candidates.toSorted((a, b) => a.embedded - b.embedded).slice(0, count),
  }
}

/** The queries whose nearest neighbour is the farthest off, of different episodes. */
function worstConfusions(retrievals: readonly Retrieval[]): Retrieval[] {
  const worst: Retrieval[] = []
  const error = ({ nearest }: Retrieval): number => nearest[0]?.true ?? 0
  for (const retrieval of retrievals.toSorted((a, b) => error(b) - error(a))) {
    if (worst.length === CONFUSIONS) break
    if (worst.every(({ query }) => query.episode !== retrieval.query.episode)) worst.push(retrieval)
  }
  return worst
}

/** The best-paid frame beyond the success radius of each episode, the best of those. */
function hacks(episodes: readonly EmbeddedEpisode[], successRadius: number | undefined, scale: number): Hack[] {
  const found: Hack[] = []
  for (const { index, length, rewards, goalDistances, success } of episodes) {
    if (rewards === undefined) continue
    let best: Hack | undefined
    for (let time = 0; time < length; time++) {
      const distance = goalDistances?.[time] ?? NaN
      const isSuccess =
        successRadius === undefined || goalDistances === undefined ? success !== false : distance <= successRadius
      const reward = rewards[time]! / scale
      if (!isSuccess && (best === undefined || reward > best.reward))
        best = { episode: index, time, reward, true: distance }
    }
    if (best !== undefined) found.push(best)
  }
  return found.toSorted((a, b) => b.reward - a.reward).slice(0, HACKS)
}

/** Mean true distance of the frames drawn for confusions, each to the next: what two random frames are apart. */
export function meanTrueDistance(
  { episodes, stateDistance, stateNames = [] }: EmbeddedEpisodes,
  exhibits: Exhibits,
): number {
  if (stateDistance === undefined) return NaN
  const size = stateNames.length
  const states = exhibits.confusionQueries.flatMap(
    ({ position, time }) => episodes[position]!.states?.subarray(time * size, (time + 1) * size) ?? [],
  )
  let sum = 0
  for (let i = 1; i < states.length; i++) sum += stateDistance(states[i - 1]!, states[i]!)
  return sum / (states.length - 1)
}
