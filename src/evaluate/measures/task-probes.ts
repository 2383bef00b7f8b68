import type { Rng } from '../../core/rng.ts'
import type { Rows } from '../rows.ts'
import type { EmbeddedEpisode, EmbeddedEpisodes } from './embedded-episodes.ts'
import { isExpert } from './embedded-episodes.ts'
import { positionsWhere, undefinedStatistic } from './episode-statistics.ts'
import type { FrameList } from './frames.ts'
import { gatherRows, sketchRows, spacedFrames } from './frames.ts'
import type { EpisodeStatistic, Measure } from './measurement.ts'
import { besides, foldsOfFrames, MIN_PROBE_EPISODES, PROBE_FRAMES, probeStatistics } from './probe-measures.ts'

/** One number or vector of each step [length - 1, size], to be read from the embedding of one of its two frames. */
interface StepTarget {
  readonly name: string
  /** Episodes that are probed. */
  readonly keep: (episode: EmbeddedEpisode) => boolean
  readonly values: (episode: EmbeddedEpisode) => Float32Array
  /** Frame that it is read from: 0 the one before the step, 1 the one after it. */
  readonly frame: 0 | 1
  /** What the probe is given of the goal beside the embedding, where episodes have goals; both [count, size]. */
  readonly ofGoal: (embeddings: Rows, goals: Rows) => Rows
}

/** Mean R2 over the target's dimensions, by a cross-fitted ridge regression. */
function stepProbe(target: StepTarget, data: EmbeddedEpisodes, rng: Rng): EpisodeStatistic[] {
  const { name, keep, values, frame, ofGoal } = target
  const all = positionsWhere(data, (episode) => episode.length > 1 && keep(episode))
  const hasGoals = all.some((position) => data.episodes[position]!.goals !== undefined)
  const positions = all.filter((position) => !hasGoals || data.episodes[position]!.goals !== undefined)
  if (positions.length < MIN_PROBE_EPISODES) return [undefinedStatistic(name, 'fewer than three such episodes')]
  const steps = { ...data, episodes: data.episodes.map((episode) => ({ ...episode, length: episode.length - 1 })) }
  const frames = spacedFrames(steps, positions, PROBE_FRAMES)
  const seen = { ...frames, time: frames.time.map((t) => t + frame) }
  const embeddings = gatherRows(data, seen, (episode) => episode.embeddings)
  const sketched = sketchRows(embeddings, rng.split('sketch'))
  const inputs = hasGoals
    ? besides(sketched, sketchRows(ofGoal(embeddings, goalRows(data, frames)), rng.split('goal sketch')))
    : sketched
  const targets = gatherRows(steps, frames, values)
  const names = Array.from({ length: targets.size }, (_, i) => String(i))
  const folds = foldsOfFrames(data, positions, frames, rng.split('folds'))
  return probeStatistics(name, names, frames, { inputs, targets, folds }).slice(0, 1)
}

/** Mean embedding of the goal's images, for each frame. */
function goalRows({ episodes, embeddingSize: size }: EmbeddedEpisodes, { count, episode }: FrameList): Rows {
  const means = new Map<number, Float64Array>()
  for (const position of new Set(episode)) {
    const goals = episodes[position]!.goals!
    const mean = new Float64Array(size)
    for (let i = 0; i < goals.length; i++) mean[i % size]! += (goals[i]! * size) / goals.length
    means.set(position, mean)
  }
  const data = new Float64Array(count * size)
  for (let row = 0; row < count; row++) data.set(means.get(episode[row]!)!, row * size)
  return { data, count, size }
}

/** How far each row is from its goal: in each dimension, and as a whole. */
function distances({ data, count, size }: Rows, goals: Rows): Rows {
  const width = size + 1
  const out = new Float64Array(count * width)
  for (let row = 0; row < count; row++) {
    let squares = 0
    for (let i = 0; i < size; i++) {
      const difference = data[row * size + i]! - goals.data[row * size + i]!
      out[row * width + i] = Math.abs(difference)
      squares += difference * difference
    }
    out[row * width + size] = Math.sqrt(squares)
  }
  return { data: out, count, size: width }
}

/**
 * R2 of a ridge regression from the embedding of a frame to the task's own reward of the step that led there, cross-fitted across all
 * episodes. Where episodes have goals the probe is also given how far the frame is from the goal, in each dimension and as a whole. At
 * most 1, best 1, chance 0; NaN where the reward never varies. Zhang et al. 2022 (arXiv 2208.12345) find linear probes of reward and
 * of the expert's action strongly rank-correlated, over encoders, with the return of agents that learn on them: on Atari, without goals.
 * It is not shown for rewards by distance.
 */
const rewardProbe: Measure = {
  name: 'probe/reward_r2',
  title: "The task's reward read by a linear probe (R2)",
  direction: 'higher',
  scale: 'at-most-one',
  chance: 0,
  best: 1,
  needs: ['true-rewards'],
  statistics: (data, rng) =>
    stepProbe(
      {
        name: 'probe/reward_r2',
        keep: ({ trueRewards }) => trueRewards !== undefined,
        values: ({ trueRewards }) => trueRewards!,
        frame: 1,
        ofGoal: distances,
      },
      data,
      rng,
    ),
}

/**
 * R2 of a ridge regression from the embedding of a frame, and that of the goal where there is one, to the action that the expert takes
 * there, cross-fitted across successful expert episodes; mean over action dimensions. At most 1, chance 0; NaN for fewer than three
 * such episodes, or an expert that always does the same. No best value: few experts are linear in the state. Zhang et al. 2022, see
 * {@link rewardProbe}.
 */
const expertActionProbe: Measure = {
  name: 'probe/expert_action_r2',
  title: "The expert's action read by a linear probe (R2)",
  direction: 'higher',
  scale: 'at-most-one',
  chance: 0,
  best: NaN,
  needs: ['actions', 'experts'],
  statistics: (data, rng) =>
    stepProbe(
      {
        name: 'probe/expert_action_r2',
        keep: (episode) => episode.actions !== undefined && isExpert(data, episode),
        values: ({ actions }) => actions!,
        frame: 0,
        ofGoal: (_, goals) => goals,
      },
      data,
      rng,
    ),
}

/** What of the task can be read of the embedding: the part that an agent's critic and actor need. */
export const taskProbes: readonly Measure[] = [rewardProbe, expertActionProbe]
