import { ArmatureError } from '../../core/errors.ts'

/** True distance of two states [S] or of a state and a goal, e.g. in metres; 0 where they are the same. */
export type TrueDistance = (a: Float32Array, b: Float32Array) => number

/** One recorded episode as an encoder sees it: T frames, D embedding dimensions. What is not known is left out. */
export interface EmbeddedEpisode {
  /** Number in its dataset. It identifies the episode, in whatever order episodes are given. */
  readonly index: number
  /** Who acted, e.g. `scripted`, `random`, `partial`, `adversarial`. Intervals are stratified by it. */
  readonly class: string
  /** T */
  readonly length: number
  /** [T, D] */
  readonly embeddings: Float32Array
  /** Embeddings of K images of the episode's goal, [K, D]. */
  readonly goals?: Float32Array
  /** Reward of the embedding for being at each frame, [T]; see {@link distanceRewards}. */
  readonly rewards?: Float32Array
  /**
   * Rewards with the frames shown backwards, or in a random order, each in the order shown, [T]. For encoders to which the frames around
   * one matter; the reward of a frame is otherwise the same wherever it is shown.
   */
  readonly reversedRewards?: Float32Array
  readonly shuffledRewards?: Float32Array
  /** Privileged state, [T, S]. */
  readonly states?: Float32Array
  /** The goal that `goalDistance` takes. */
  readonly goal?: Float32Array
  /** True distance to the goal at each frame, [T]. */
  readonly goalDistances?: Float32Array
  /** [T - 1, A] */
  readonly actions?: Float32Array
  /** The task's own reward of each step, [T - 1]. */
  readonly trueRewards?: Float32Array
  readonly success?: boolean
  /** Ids of the objects in view. */
  readonly objects?: readonly number[]
  /** Labels of what should not matter, by kind, e.g. `{ hue_cube: '0', light_x: '2', distractor: 'clip-7' }`. */
  readonly nuisances?: Readonly<Record<string, string>>
  /** Embeddings of the same moments from further cameras, by name, [T, D] each. */
  readonly views?: Readonly<Record<string, Float32Array>>
  /** Embeddings of the same moments where the scene looks another way (`light`, `camera`, ...), [T, D] each. */
  readonly looks?: Readonly<Record<string, Float32Array>>
}

/** A set of episodes that one encoder embedded. */
export interface EmbeddedEpisodes {
  readonly episodes: readonly EmbeddedEpisode[]
  /** D */
  readonly embeddingSize: number
  /** Name of each state variable. */
  readonly stateNames?: readonly string[]
  /** Distance of two states. */
  readonly stateDistance?: TrueDistance
  /** Distance of a state (first) and an episode's `goal` (second). */
  readonly goalDistance?: TrueDistance
  /** Classes whose successes show the task done well. Default `scripted`, `expert`. */
  readonly expertClasses?: readonly string[]
  /** Classes that look like success to a careless reward. Default `adversarial`. */
  readonly adversarialClasses?: readonly string[]
  /**
   * States that other actions would lead to from frame `time`, from the simulator: for each, the embedding's reward and the true one for
   * the episode's goal. Without it DARD uses the steps that the data took from similar states.
   */
  readonly feasibleNext?: (episode: EmbeddedEpisode, time: number) => FeasibleNext
}

/** Rewards of the states that can follow one state, paired. */
export interface FeasibleNext {
  readonly rewards: ArrayLike<number>
  readonly trueRewards: ArrayLike<number>
}

/** What a measure can ask of the data. */
export type Need =
  | 'actions'
  | 'adversarial'
  | 'experts'
  | 'failures'
  | 'future-rewards'
  | 'goal-distance'
  | 'goal-distances'
  | 'goal-images'
  | 'looks'
  | 'nuisances'
  | 'objects'
  | 'rewards'
  | 'state-distance'
  | 'states'
  | 'successes'
  | 'true-rewards'
  | 'views'

/** Euclidean distance of row `i` of `a` and row `j` of `b`, both [_, size]. */
export function rowDistance(a: Float32Array, i: number, b: Float32Array, j: number, size: number): number {
  let sum = 0
  for (let k = 0, p = i * size, q = j * size; k < size; k++) {
    const difference = a[p + k]! - b[q + k]!
    sum += difference * difference
  }
  return Math.sqrt(sum)
}

/**
 * The usual reward of an embedding, -|z_t - z_g|; the distance is the mean over the goal's images.
 *
 * @param embeddings [T, size]
 * @param goals [K, size]
 * @returns [T]
 */
export function distanceRewards(embeddings: Float32Array, goals: Float32Array, size: number): Float32Array {
  const images = goals.length / size
  return Float32Array.from({ length: embeddings.length / size }, (_, t) => {
    let sum = 0
    for (let k = 0; k < images; k++) sum += rowDistance(embeddings, t, goals, k, size)
    return -sum / images
  })
}

/**
 * Checks every array and returns the episodes in the order of their index. Fills in missing `rewards` from the goals.
 *
 * @throws ArmatureError `bad-value` that names episode, array and frame for a number that is not finite; `bad-shape` for an array
 * of the wrong length; `bad-argument` for two episodes of one index or none at all.
 */
export function prepareEpisodes(data: EmbeddedEpisodes): EmbeddedEpisodes {
  const size = data.embeddingSize
  const seen = new Set<number>()
  if (data.episodes.length === 0) throw new ArmatureError('bad-argument', 'measures', { expected: 'episodes' })
  const episodes = data.episodes.map((episode) => {
    if (seen.has(episode.index)) {
      throw new ArmatureError('bad-argument', 'episodes', {
        expected: 'each index once',
        got: `two of ${episode.index}`,
      })
    }
    seen.add(episode.index)
    requireEpisode(episode, size, data.stateNames?.length)
    if (episode.rewards !== undefined || episode.goals === undefined) return episode
    return { ...episode, rewards: distanceRewards(episode.embeddings, episode.goals, size) }
  })
  return { ...data, episodes: episodes.toSorted((a, b) => a.index - b.index) }
}

function requireEpisode(episode: EmbeddedEpisode, size: number, states: number | undefined): void {
  const { length, embeddings, goals } = episode
  if (!Number.isInteger(length) || length < 1) {
    throw new ArmatureError('bad-shape', `episode ${episode.index}`, {
      expected: 'one frame or more',
      got: String(length),
      fix: 'leave it out',
    })
  }
  requireArray(episode, 'embeddings', embeddings, length, size)
  requireArray(episode, 'goals', goals, goals === undefined ? 0 : Math.max(1, Math.ceil(goals.length / size)), size)
  requireArray(episode, 'rewards', episode.rewards, length, 1)
  requireArray(episode, 'reversedRewards', episode.reversedRewards, length, 1)
  requireArray(episode, 'shuffledRewards', episode.shuffledRewards, length, 1)
  requireArray(episode, 'states', episode.states, length, states ?? Math.ceil((episode.states?.length ?? 0) / length))
  requireArray(episode, 'goalDistances', episode.goalDistances, length, 1)
  requireArray(episode, 'trueRewards', episode.trueRewards, length - 1, 1)
  const { actions } = episode
  const actionSize = length > 1 ? Math.ceil((actions?.length ?? 0) / (length - 1)) : 0
  requireArray(episode, 'actions', actions, length - 1, actionSize)
  for (const [name, view] of Object.entries(episode.views ?? {})) {
    requireArray(episode, `views.${name}`, view, length, size)
  }
  for (const [name, look] of Object.entries(episode.looks ?? {})) {
    requireArray(episode, `looks.${name}`, look, length, size)
  }
}

function requireArray(
  episode: EmbeddedEpisode,
  name: string,
  array: Float32Array | undefined,
  rows: number,
  size: number,
): void {
  if (array === undefined) return
  const what = `episode ${episode.index}, ${name}`
  if (array.length !== rows * size) {
    throw new ArmatureError('bad-shape', what, { expected: `[${rows}, ${size}]`, got: `${array.length} numbers` })
  }
  const bad = array.findIndex((value) => !Number.isFinite(value))
  if (bad >= 0) {
    throw new ArmatureError('bad-value', `${what}, row ${Math.floor(bad / size)}`, {
      expected: 'finite numbers',
      got: String(array[bad]),
      fix: 'leave the episode out or mend the encoder that gave this',
    })
  }
}

/** The successful episodes of expert classes (also those of unknown success). */
export function isExpert(data: EmbeddedEpisodes, episode: EmbeddedEpisode): boolean {
  return (data.expertClasses ?? ['scripted', 'expert']).includes(episode.class) && episode.success !== false
}

/** The episodes of adversarial classes that did not succeed all the same. */
export function isAdversarial(data: EmbeddedEpisodes, episode: EmbeddedEpisode): boolean {
  return (data.adversarialClasses ?? ['adversarial']).includes(episode.class) && episode.success !== true
}
