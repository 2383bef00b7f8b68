import { z } from 'zod'
import { requirePositive } from '../core/checks.ts'
import type { GoalReward } from '../core/goals.ts'
import { PLAIN_NAME, register } from '../core/registry.ts'
import type { HuberConfig, TrackingConfig } from './tracking-reward.ts'
import { huberReward, huberSchema, trackingReward, trackingSchema } from './tracking-reward.ts'

/** How the catalogue makes a reward. `config` has gone through `configSchema`. */
export interface GoalRewardEntry {
  readonly summary: string
  readonly configSchema: z.ZodType
  create(config: unknown): GoalReward
}

interface ScaleConfig {
  readonly scale: number
}

const scaleSchema = z.strictObject({ scale: z.number().gt(0).default(1).describe('factor on the reward') })

const catalogue: Record<string, GoalRewardEntry> = {
  'latent-distance': {
    summary: 'minus the Euclidean distance of features and goal: RIG with latents, the oracle with states',
    configSchema: scaleSchema,
    create: (config) => latentDistanceReward((config as ScaleConfig).scale),
  },
  cosine: {
    summary: 'cosine of features and goal: Grasp2Vec, where lengths of embeddings count objects',
    configSchema: scaleSchema,
    create: (config) => cosineReward((config as ScaleConfig).scale),
  },
  huber: {
    summary: 'minus a squared distance, and a root that still pulls near the goal: TCN',
    configSchema: huberSchema,
    create: (config) => huberReward(config as HuberConfig),
  },
  tracking: {
    summary: 'the same to a recorded demonstration at the same time, or about it: TCN and mfTCN',
    configSchema: trackingSchema,
    create: (config) => trackingReward(config as TrackingConfig),
  },
  'pixel-mse': {
    summary: 'minus the mean squared difference of pixels: the baseline of RIG',
    configSchema: scaleSchema,
    create: (config) => pixelMseReward((config as ScaleConfig).scale),
  },
}

/** What reaching a point can pay, given a goal: a new one is a line above. */
export const goalRewards: Readonly<Record<string, GoalRewardEntry>> = catalogue

/** Makes one of your own known by its name. @throws ArmatureError `bad-argument` for a name that is none or is taken. */
export function registerGoalReward(name: string, entry: GoalRewardEntry): void {
  register('reward', catalogue, PLAIN_NAME, name, entry, { configSchema: 'object', create: 'function' })
}

/**
 * Negative Euclidean distance of features, times `scale`: r = -|e(s') - e(g)|_2 (RIG, Nair et al. 2018, equation 3 with the
 * plain Euclidean metric of its released code, not squared). With latents it is RIG's reward, with states the oracle's.
 * @throws ArmatureError `bad-argument` unless `scale` is finite and above 0.
 */
export function latentDistanceReward(scale: number): GoalReward {
  requirePositive('scale of a reward', scale)
  return {
    name: 'latent-distance',
    needsFrames: false,
    compute({ size, featureSize, reached, goals }, rewards) {
      for (let row = 0; row < size; row++) {
        let sum = 0
        for (let i = row * featureSize; i < (row + 1) * featureSize; i++) sum += (reached[i]! - goals[i]!) ** 2
        rewards[row] = -scale * Math.sqrt(sum)
      }
    },
  }
}

/**
 * Cosine of features and goal, times `scale` (Grasp2Vec, Jang et al. 2018, section 4.2, with embeddings normalised); 0 where one of them is
 * zero.
 * @throws ArmatureError `bad-argument` unless `scale` is finite and above 0.
 */
export function cosineReward(scale: number): GoalReward {
  requirePositive('scale of a reward', scale)
  return {
    name: 'cosine',
    needsFrames: false,
    compute({ size, featureSize, reached, goals }, rewards) {
      for (let row = 0; row < size; row++) {
        let [product, a, b] = [0, 0, 0]
        for (let i = row * featureSize; i < (row + 1) * featureSize; i++) {
          product += reached[i]! * goals[i]!
          a += reached[i]! ** 2
          b += goals[i]! ** 2
        }
        rewards[row] = a * b === 0 ? 0 : (scale * product) / Math.sqrt(a * b)
      }
    },
  }
}

/**
 * Negative mean squared difference of pixels in [0, 1], times `scale`: the baseline that RIG is judged against.
 * @throws ArmatureError `bad-argument` unless `scale` is finite and above 0.
 */
export function pixelMseReward(scale: number): GoalReward {
  requirePositive('scale of a reward', scale)
  return {
    name: 'pixel-mse',
    needsFrames: true,
    compute(outcomes, rewards) {
      for (let row = 0; row < outcomes.size; row++) {
        const a = outcomes.reachedFrame(row)
        const b = outcomes.goalFrame(row)
        let sum = 0
        for (let i = 0; i < a.length; i++) {
          const d = a[i]! - b[i]!
          sum += d * d
        }
        rewards[row] = (-scale * sum) / (a.length * 255 * 255)
      }
    },
  }
}
