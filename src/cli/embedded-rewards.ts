import { goalRewards } from '../compose/goal-rewards.ts'
import { applyOverrides, parseConfig } from '../config/overrides.ts'
import type { Dataset } from '../core/dataset.ts'
import { ArmatureError } from '../core/errors.ts'
import type { GoalReward } from '../core/goals.ts'
import { lookUp } from '../core/registry.ts'
import type { Embedder } from '../evaluate/report/embed.ts'

/** A reward of `armature list rewards` by name, with its settings. */
export interface NamedReward {
  readonly name: string
  /** `--set` assignments of its settings, in order. */
  readonly set: readonly string[]
}

/**
 * Makes the reward, once for each embedder: one that follows a demonstration keeps its embedding.
 * @throws ArmatureError `not-found` for a name that is none; `bad-config` for its settings; `bad-argument` for a reward of pixels.
 */
export function makeReward({ name, set }: NamedReward): GoalReward {
  const entry = lookUp('reward', goalRewards, name)
  const reward = entry.create(parseConfig(entry.configSchema, applyOverrides({}, set), `reward ${name}`))
  if (!reward.needsFrames) return reward
  throw new ArmatureError('bad-argument', `--reward ${name}`, {
    expected: 'a reward of embeddings',
    got: 'one of pixels',
    fix: 'leave it out: the control "pixels" shows what distances of pictures are worth',
  })
}

/**
 * The embedder with what `reward` pays along each episode in the place of minus the distance to the goal.
 * @param dataset that it embeds
 * @throws ArmatureError as reading and embedding a demonstration
 */
export async function rewardedBy(embedder: Embedder, reward: GoalReward, dataset: Dataset): Promise<Embedder> {
  await reward.prepare?.(async (episode, source) => {
    requireSameFrames(embedder, source, dataset)
    return embedder.embed(episode)
  })
  const followsDemonstration = reward.prepare !== undefined
  return {
    ...embedder,
    reward: {
      dependsOnTime: followsDemonstration,
      pay(embeddings, goals, size) {
        // Goals are not looked at where a demonstration is followed: one of zeros stands for them.
        const compared = followsDemonstration ? new Float32Array(size) : goals
        return compared && meanRewards(reward, embeddings, compared, size)
      },
    },
  }
}

/** Rewards [T] of embeddings [T, size], mean over goals [K, size]. */
function meanRewards(reward: GoalReward, embeddings: Float32Array, goals: Float32Array, size: number): Float32Array {
  const [length, count] = [embeddings.length / size, goals.length / size]
  const times = Int32Array.from({ length }, (_, t) => t)
  const mean = new Float32Array(length)
  const paid = new Float32Array(length)
  for (let k = 0; k < count; k++) {
    const goal = goals.subarray(k * size, (k + 1) * size)
    const repeated = new Float32Array(length * size)
    for (let t = 0; t < length; t++) repeated.set(goal, t * size)
    const outcomes = { size: length, featureSize: size, reached: embeddings, goals: repeated, times }
    reward.compute({ ...outcomes, reachedFrame: noFrame, goalFrame: noFrame }, paid)
    for (let t = 0; t < length; t++) mean[t]! += paid[t]! / count
  }
  return mean
}

function noFrame(): never {
  throw new Error('a reward of embeddings asked for a frame')
}

function requireSameFrames({ name, camera }: Embedder, demonstration: Dataset, dataset: Dataset): void {
  if (camera === undefined) return
  const [expected, got] = [dataset, demonstration].map(({ spec }) => spec.cameras[camera]?.shape.join('x'))
  if (expected === got) return
  throw new ArmatureError('bad-config', `demonstration of ${demonstration.path} for ${name}`, {
    expected: `camera ${camera} of ${expected}`,
    got: got ?? (Object.keys(demonstration.spec.cameras).join(', ') || 'no camera'),
  })
}
