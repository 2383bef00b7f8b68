import type { Rng } from '../../core/rng.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from '../measures/embedded-episodes.ts'
import { isAdversarial } from '../measures/embedded-episodes.ts'
import { successRadius } from '../measures/near-miss.ts'
import type { EpisodeKind } from './model.ts'

const CURVES_A_KIND = 5
const PAIRS = 2500
const QUERIES = 2
const CONFUSION_QUERIES = 150

/** A frame by the position of its episode among the embedded ones. */
export interface FrameAt {
  readonly position: number
  readonly time: number
}

/** What all encoders are shown on: the same episodes, frames and goal, so that their figures can be compared. */
export interface Exhibits {
  /** Episodes whose curves are drawn. */
  readonly curves: readonly { readonly kind: EpisodeKind; readonly position: number }[]
  /** Frames that are compared with the goal of their episode. */
  readonly pairs: readonly FrameAt[]
  /** Frames whose nearest neighbours are shown. */
  readonly queries: readonly FrameAt[]
  /** Frames among which the worst confusions are looked for. */
  readonly confusionQueries: readonly FrameAt[]
  /** Position of the episode whose goal the heat maps are for. */
  readonly mapGoal?: number
  /** Distance to the goal within which all successful episodes ended. */
  readonly successRadius?: number
}

/** Chooses what to show, from the episodes of any one encoder. */
export function chooseExhibits(data: EmbeddedEpisodes, rng: Rng): Exhibits {
  const { episodes } = data
  const kinds = episodes.map((episode) => kindOf(data, episode))
  const withGoal = [...episodes.keys()].filter((i) => episodes[i]!.rewards !== undefined)
  const ofKind = (kind: EpisodeKind): number[] => withGoal.filter((i) => kinds[i] === kind).slice(0, CURVES_A_KIND)
  const successes = ofKind('successful')
  const draw = (count: number, from: readonly number[], stream: Rng, skip = 0): FrameAt[] =>
    Array.from({ length: from.length === 0 ? 0 : count }, () => {
      const position = from[stream.int(from.length)]!
      const first = Math.floor(skip * episodes[position]!.length)
      return { position, time: first + stream.int(episodes[position]!.length - first) }
    })
  const all = [...episodes.keys()]
  const mapGoal = successes[0] ?? withGoal[0]
  const radius = successRadius(episodes)
  return {
    curves: (['successful', 'failed', 'reversed', 'adversarial'] as const).flatMap((kind) =>
      (kind === 'reversed' ? successes : ofKind(kind)).map((position) => ({ kind, position })),
    ),
    pairs: draw(PAIRS, withGoal, rng.split('pairs')),
    // Many tasks start alike: a first frame would only find other first frames.
    queries: draw(QUERIES, all, rng.split('queries'), 0.2),
    confusionQueries: draw(CONFUSION_QUERIES, all, rng.split('confusions')),
    ...(mapGoal === undefined ? {} : { mapGoal }),
    ...(radius === undefined ? {} : { successRadius: radius }),
  }
}

/** What happened in an episode; undefined where nothing says whether it succeeded. */
function kindOf(data: EmbeddedEpisodes, episode: EmbeddedEpisode): Exclude<EpisodeKind, 'reversed'> | undefined {
  if (isAdversarial(data, episode)) return 'adversarial'
  if (episode.success === undefined) return undefined
  return episode.success ? 'successful' : 'failed'
}
