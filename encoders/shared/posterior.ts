/** What variational encoders share: the posterior, what it costs, and how that cost is brought in. */
import { z } from 'zod'
import type { Metrics, NdArray } from '../../src/core/ndarray.ts'
import { tf } from '../../src/tensor/tf.ts'

/** A diagonal Gaussian q(z|x) = N(mean, exp(logVariance)), [B, D] each. */
export interface Posterior {
  readonly mean: tf.Tensor
  readonly logVariance: tf.Tensor
}

/** The posterior's variance never falls below this (released code of RIG and CC-RIG), so no latent can shout. */
const MIN_LOG_VARIANCE = Math.log(1e-3)
/** A dimension counts as active above this mean KL, in nats. */
const ACTIVE_NATS = 0.1

/** Of the two halves of `heads` [B, 2 D], mean and h: logVariance = log(1e-3) + |h|, as in the released code. */
export function posteriorOf(heads: tf.Tensor): Posterior {
  const [mean, h] = tf.split(heads, 2, 1) as [tf.Tensor, tf.Tensor] // [B, D] each
  return { mean, logVariance: tf.add(tf.abs(h), MIN_LOG_VARIANCE) }
}

/** A draw [B, D] by standard normal `noise` [B, D] (reparameterisation, Kingma & Welling 2014, section 2.4). */
export function drawFrom({ mean, logVariance }: Posterior, noise: tf.Tensor): tf.Tensor {
  return tf.add(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), noise))
}

/** KL(q || N(0, I)) of each dimension in nats, mean over the batch, [D]. */
export function klPerDimension({ mean, logVariance }: Posterior): tf.Tensor {
  const twice = tf.sub(tf.add(tf.square(mean), tf.exp(logVariance)), tf.add(logVariance, 1)) // [B, D]
  return tf.mul(tf.mean(twice, 0), 0.5)
}

/** `kl` in total, `active_dimensions`, and `kl_0`, `kl_1` ..., nats, of {@link klPerDimension}. */
export function klMetrics({ data }: NdArray): Metrics {
  const kl = [...data]
  return {
    kl: kl.reduce((sum, x) => sum + x, 0),
    active_dimensions: kl.filter((x) => x > ACTIVE_NATS).length,
    ...Object.fromEntries(kl.map((x, i) => [`kl_${i}`, x])),
  }
}

/** Settings of {@link warmUp}. */
export const warmUpSettings = {
  betaStart: z
    .number()
    .gt(0)
    .default(1e-3)
    .describe('factor on beta at the start: without a warm-up the posterior can collapse before the decoder uses it'),
  betaAnneal: z.int().min(0).default(1500).describe('updates over which that factor goes geometrically to 1'),
}

/** Share of beta that counts at an update: it rises geometrically from `betaStart` to 1 over `betaAnneal` updates. */
export function warmUp(update: number, options: { readonly betaStart: number; readonly betaAnneal: number }): number {
  const { betaStart, betaAnneal } = options
  return update >= betaAnneal ? 1 : betaStart ** (1 - update / betaAnneal)
}
