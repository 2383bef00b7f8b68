import type { Rows } from '../rows.ts'
import { momentsOf } from '../rows.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { rowDistance } from './embedded-episodes.ts'
import { meanStatistic, positionsWhere, ratioStatistic, undefinedStatistic } from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'

/** Frames that are held against each other, evenly from all episodes. */
const FRAMES = 500
/** States are the same where no variable differs by more than this part of its standard deviation. */
const SAME_STD = 0.01

const POINT = 'collapsed: all frames have the same embedding'

/** Names of the looks in which episodes were rendered again. */
function looksOf(data: EmbeddedEpisodes): string[] {
  return [...new Set(data.episodes.flatMap(({ looks }) => Object.keys(looks ?? {})))].toSorted()
}

/** The frames of one look: their embeddings as recorded, and in that look. */
interface Pair {
  readonly episodes: readonly number[]
  readonly frames: FrameList
  readonly size: number
  readonly recorded: Float32Array
  readonly shown: Float32Array
  readonly states: Rows
}

function pairOf(data: EmbeddedEpisodes, look: string): Pair {
  const episodes = positionsWhere(data, ({ looks, states }) => looks?.[look] !== undefined && states !== undefined)
  const frames = spacedFrames(data, episodes, FRAMES)
  const rows = (pick: (episode: EmbeddedEpisode) => Float32Array): Float32Array => gatherRows(data, frames, pick).data
  return {
    episodes,
    frames,
    size: data.embeddingSize,
    recorded: rows(({ embeddings }) => embeddings),
    shown: rows(({ looks }) => looks![look]!),
    states: gatherRows(data, frames, ({ states }) => states!),
  }
}

function driftStatistic(name: string, { episodes, frames, size, recorded, shown }: Pair): EpisodeStatistic {
  const slot = new Map(episodes.map((episode, i) => [episode, i]))
  const [drift, spread] = [episodes.map(() => 0), episodes.map(() => 0)]
  for (let a = 0; a < frames.count; a++) {
    const at = slot.get(frames.episode[a]!)!
    drift[at]! += rowDistance(recorded, a, shown, a, size) / frames.count
    for (let b = 0; b < frames.count; b++) {
      if (frames.episode[a] !== frames.episode[b]) spread[at]! += rowDistance(recorded, a, recorded, b, size)
    }
  }
  const others = episodes.map((episode) => frames.episode.reduce((sum, other) => sum + (other === episode ? 0 : 1), 0))
  const apart = spread.map((sum, i) => sum / Math.max(1, others[i]!) / frames.count)
  if (apart.every((sum) => sum === 0)) return undefinedStatistic(name, POINT)
  return ratioStatistic(name, episodes, drift, apart)
}

/** Share of the frames of each episode whose nearest recorded frame, of all episodes, has the same state; ties share. */
function retrievalStatistic(name: string, { episodes, frames, size, recorded, shown, states }: Pair): EpisodeStatistic {
  const isSame = sameState(states)
  const found = new Map(episodes.map((episode) => [episode, { hits: 0, count: 0 }]))
  let luck = 0
  for (let a = 0; a < frames.count; a++) {
    const distances = Float64Array.from({ length: frames.count }, (_, b) => rowDistance(shown, a, recorded, b, size))
    const nearest = distances.reduce((least, distance) => Math.min(least, distance), Infinity)
    let [ties, right, same] = [0, 0, 0]
    for (let b = 0; b < frames.count; b++) {
      const isRight = isSame(a, b)
      if (isRight) same++
      if (distances[b] !== nearest) continue
      ties++
      if (isRight) right++
    }
    const tally = found.get(frames.episode[a]!)!
    tally.count++
    tally.hits += right / ties
    luck += same / frames.count / frames.count
  }
  const shares = episodes.map((episode) => found.get(episode)!.hits / found.get(episode)!.count)
  return meanStatistic(name, episodes, shares, luck)
}

/** Whether two rows are one state: where nothing moves, many frames are of the same moment. */
function sameState(states: Rows): (a: number, b: number) => boolean {
  const { std } = momentsOf(states)
  const { data, size } = states
  return (a, b) => {
    for (let i = 0; i < size; i++) {
      if (Math.abs(data[a * size + i]! - data[b * size + i]!) > SAME_STD * std[i]!) return false
    }
    return true
  }
}

function byLook(
  family: string,
  data: EmbeddedEpisodes,
  statistic: (name: string, pair: Pair) => EpisodeStatistic,
): EpisodeStatistic[] {
  return looksOf(data).map((look) => {
    const name = `${family}/${look}`
    const pair = pairOf(data, look)
    return pair.episodes.length < 2 ? undefinedStatistic(name, 'fewer than two such episodes') : statistic(name, pair)
  })
}

/**
 * How far the embedding of a state moves when the scene looks another way (light, camera, colours, textures; each a row), in mean distances
 * of frames of different episodes. 0 and above, best 0; 1: as far as to a random frame. NaN for a collapsed embedding.
 */
const drift: Measure = {
  name: 'looks/drift',
  title: 'Drift of a state in another look (random frame = 1)',
  direction: 'lower',
  scale: 'positive',
  chance: 1,
  best: 0,
  needs: ['looks'],
  statistics: (data) => byLook('looks/drift', data, driftStatistic),
}

/**
 * Share of frames in another look whose nearest recorded frame, of all episodes, has the same state; mean over episodes. 0 to 1, best
 * 1, chance the share of frames of that state.
 */
const retrieval: Measure = {
  name: 'looks/retrieval',
  title: 'State found again in another look',
  direction: 'higher',
  scale: 'share',
  chance: NaN,
  best: 1,
  needs: ['looks', 'states'],
  statistics: (data) => byLook('looks/retrieval', data, retrievalStatistic),
}

/** Whether the embedding of a state depends on how the scene looks. */
export const lookMeasures: readonly Measure[] = [drift, retrieval]
