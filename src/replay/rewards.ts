import type { GoalReward } from '../core/goals.ts'

/**
 * Negative Euclidean distance of features, times `scale`: r = -|e(s') - e(g)|_2 (RIG, Nair et al. 2018, equation 3 with the
 * plain Euclidean metric of its released code, not squared). With latents it is RIG's reward, with states the oracle's.
 */
export function latentDistanceReward(scale: number): GoalReward {
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

/** Negative mean squared difference of pixels in [0, 1], times `scale`: the baseline that RIG is judged against. */
export function pixelMseReward(scale: number): GoalReward {
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
