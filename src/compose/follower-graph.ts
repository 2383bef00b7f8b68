import type { ImitationConfig } from '../config/imitation-config.ts'
import { ArmatureError } from '../core/errors.ts'
import type { Demonstration } from '../run/follower.ts'
import { tf } from '../tensor/tf.ts'
import type { PortSpec } from './encoder-graph.ts'

/** More than any squared distance. */
const FAR = 1e30

/** What a graph is fed and gives back so that it can follow a demonstration: each output is the input of the next observation. */
export const MOMENT_PORT: PortSpec = {
  dtype: 'float32',
  shape: [1, 1],
  meaning:
    'moment of the demonstration: -1 at the first observation of an episode, then `nextMoment` of the one before',
}

/** The moment [1, 1] that counts for a latent [1, D] after `moment` [1, 1]: what `Follower` does, as a function of tensors. */
export function nextMoment(
  demonstration: Demonstration,
  { alignment, pace, reach }: ImitationConfig,
  latent: tf.Tensor,
  moment: tf.Tensor,
): tf.Tensor {
  const isFirst = tf.cast(tf.less(moment, 0), 'float32')
  const { last } = demonstration
  if (alignment === 'time') return tf.minimum(tf.add(moment, 1), last)
  const { latents } = demonstration.save()
  if (latents === undefined)
    throw new ArmatureError('bad-argument', 'demonstration', { expected: 'one that was shown' })
  const shown = tf.tensor2d(latents.data as Float32Array, latents.shape as [number, number])
  const numbers = tf.tensor2d(
    Float32Array.from({ length: last + 1 }, (_, i) => i),
    [1, last + 1],
  )
  const distances = tf.reshape(tf.sum(tf.square(tf.sub(shown, latent)), 1), [1, last + 1])
  const from = tf.minimum(tf.add(moment, pace), last) // [1, 1], between two moments or at one
  const isReached = tf.mul(
    tf.cast(tf.greater(numbers, tf.sub(from, 1)), 'float32'),
    tf.cast(tf.lessEqual(numbers, tf.add(moment, reach)), 'float32'),
  )
  const open = tf.add(distances, tf.mul(tf.sub(1, isReached), FAR))
  // The first of those that are equally near, as a function that both engines know.
  const isNearest = tf.cast(tf.lessEqual(open, tf.min(open, 1, true)), 'float32')
  const nearest = tf.min(tf.add(numbers, tf.mul(tf.sub(1, isNearest), FAR)), 1, true)
  return tf.mul(tf.maximum(nearest, from), tf.sub(1, isFirst))
}
