import { z } from 'zod'
import { huberSettings } from '../config/imitation-config.ts'
import type { GoalReward } from '../core/goals.ts'
import { ArmatureError } from '../core/errors.ts'
import { huber, squaredDistance } from '../run/follower.ts'
import { demonstrationSettings, findDemonstration } from './demonstration.ts'

export const huberSchema = z.strictObject(huberSettings)
export type HuberConfig = z.output<typeof huberSchema>

export const trackingSchema = z.strictObject({
  ...huberSettings,
  ...demonstrationSettings,
  slackSteps: z
    .int()
    .min(0)
    .default(0)
    .describe(
      'the nearest moment of the demonstration counts that is within so many steps of the same time; 0: that time',
    ),
})
export type TrackingConfig = z.output<typeof trackingSchema>

/** {@link huber} of the Euclidean distance of features and goal. */
export function huberReward(config: HuberConfig): GoalReward {
  return {
    name: 'huber',
    needsFrames: false,
    compute({ size, featureSize, reached, goals }, rewards) {
      for (let row = 0; row < size; row++) {
        rewards[row] = huber(squaredDistance(reached, row, goals, row, featureSize), config)
      }
    },
  }
}

/**
 * The reward for following a demonstration (Sermanet et al. 2018, eq. 2): {@link huber} of the distance of the features at a time to those of
 * the demonstration at the same time, or at the nearest moment within `slackSteps` of it, where speeds differ. After its end the
 * demonstration asks to stay where it ended. Goals are not looked at, so that relabelling changes nothing.
 *
 * A moment within a band around the same time, not the monotone path of dynamic time warping: the reward of a step is then a function of
 * that step alone, and can be computed for any row of replay.
 */
export function trackingReward(config: TrackingConfig): GoalReward {
  let demonstration: Float32Array | undefined
  return {
    name: 'tracking',
    needsFrames: false,
    check: async () => void (await findDemonstration(config)),
    async prepare(embed) {
      const { dataset, index } = await findDemonstration(config)
      demonstration = await embed(await dataset.readEpisode(index), dataset)
    },
    compute({ size, featureSize, reached, times }, rewards) {
      if (demonstration === undefined)
        throw new ArmatureError('bad-argument', 'reward tracking', { expected: 'to be prepared first' })
      const last = demonstration.length / featureSize - 1
      for (let row = 0; row < size; row++) {
        const time = times[row]!
        const to = Math.min(last, time + config.slackSteps)
        let nearest = Infinity
        for (let t = Math.min(last, Math.max(0, time - config.slackSteps)); t <= to; t++) {
          nearest = Math.min(nearest, squaredDistance(reached, row, demonstration, t, featureSize))
        }
        rewards[row] = huber(nearest, config)
      }
    },
  }
}
