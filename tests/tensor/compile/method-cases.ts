import type { NdArray } from '../../../src/core/ndarray.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { wiggle } from '../numerics.ts'
import type { OpCase } from './op-cases.ts'

type Fn = OpCase['fn']

function op(name: string, fn: Fn, ...inputs: NdArray[]): OpCase {
  return { name, fn, inputs }
}

const [a64, b64, w44] = [wiggle([6, 4], 1), wiggle([6, 4], 2.3), wiggle([4, 4], 3)]
const images = wiggle([2, 6, 6, 2], 1)

function unit(x: tf.Tensor): tf.Tensor {
  return tf.div(x, tf.sqrt(tf.add(tf.sum(tf.square(x), -1, true), 1e-3)))
}

function crossEntropy(logits: tf.Tensor): tf.Tensor {
  return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), tf.eye(logits.shape[0]!)), -1)))
}

function spread(x: tf.Tensor): tf.Tensor {
  const centred = tf.sub(x, tf.mean(x, 0, true))
  const covariance = tf.div(tf.matMul(centred, centred, true, false), x.shape[0]! - 1)
  const off = tf.mul(covariance, tf.sub(1, tf.eye(x.shape[1]!)))
  const deviation = tf.sqrt(tf.add(tf.mean(tf.square(centred), 0), 1e-4))
  return tf.add(tf.sum(tf.square(off)), tf.mean(tf.softplus(tf.sub(1, deviation))))
}

function normed(x: tf.Tensor, axes: number[]): tf.Tensor {
  const { mean, variance } = tf.moments(x, axes, true)
  return tf.mul(tf.sub(x, mean), tf.rsqrt(tf.add(variance, 0.1)))
}

function conv(x: tf.Tensor, w: tf.Tensor, stride = 1): tf.Tensor {
  return tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, stride, 'same')
}

/** Losses of published methods, small: what programs are written for. */
export const METHOD_CASES: readonly OpCase[] = [
  op('n-pairs', (a, b) => crossEntropy(tf.matMul(a!, b!, false, true)), a64, b64),
  op(
    'NT-Xent',
    (a, b) => {
      const z = unit(tf.concat([a!, b!])) // [2B, D]
      const logits = tf.sub(tf.div(tf.matMul(z, z, false, true), 0.5), tf.mul(tf.eye(12), 1e4))
      const partner = tf.oneHot(tf.tensor1d([6, 7, 8, 9, 10, 11, 0, 1, 2, 3, 4, 5], 'int32'), 12, 1, 0, 'float32')
      return tf.neg(tf.mean(tf.sum(tf.mul(tf.logSoftmax(logits), partner), -1)))
    },
    a64,
    b64,
  ),
  op(
    'momentum contrast with a queue',
    (q, k, queue) => {
      const positive = tf.sum(tf.mul(unit(q!), unit(k!)), 1, true)
      const logits = tf.concat([positive, tf.matMul(unit(q!), unit(queue!), false, true)], 1)
      return tf.neg(tf.mean(tf.slice(tf.logSoftmax(tf.div(logits, 0.3)), [0, 0], [-1, 1])))
    },
    a64,
    b64,
    wiggle([9, 4], 4),
  ),
  op('BYOL', (a, b, w) => tf.mean(tf.sub(2, tf.mul(2, tf.sum(tf.mul(unit(tf.matMul(tf.elu(a!), w!)), unit(b!)), -1)))), a64, b64, w44), // prettier-ignore
  op('VICReg', (a, b) => tf.add(tf.mean(tf.square(tf.sub(a!, b!))), tf.add(spread(a!), spread(b!))), a64, b64),
  op(
    'semi-hard triplet',
    (x) => {
      const squares = tf.sum(tf.square(tf.sub(tf.expandDims(x!, 0), tf.expandDims(x!, 1))), 2) // [B, B]
      const label = tf.tensor1d([0, 0, 1, 1, 2, 2])
      const same = tf.cast(tf.equal(tf.expandDims(label, 0), tf.expandDims(label, 1)), 'float32')
      const positive = tf.max(tf.mul(squares, same), 1, true)
      const farther = tf.cast(tf.logicalAnd(tf.equal(same, 0), tf.greater(squares, positive)), 'float32')
      const nearest = tf.argMin(tf.add(squares, tf.mul(tf.sub(1, farther), 1e4)), 1)
      const negative = tf.gatherND(squares, tf.stack([tf.range(0, 6, 1, 'int32'), nearest], 1))
      return tf.mean(tf.softplus(tf.sub(tf.squeeze(positive, [1]), negative)))
    },
    wiggle([6, 4], 0.9),
  ),
  op(
    'soft arg-max of maps',
    (x, w) => {
      const maps = tf.reshape(tf.transpose(conv(x!, w!), [0, 3, 1, 2]), [6, 36])
      const places = tf.tile(tf.linspace(-1, 1, 6), [6])
      return tf.sum(tf.mul(tf.softmax(maps), places), 1)
    },
    images,
    wiggle([3, 3, 2, 3], 2),
  ),
  op('group norm', (x, s) => tf.mul(tf.reshape(normed(tf.reshape(x!, [2, 36, 2, 1]), [1, 3]), [2, 6, 6, 2]), s!), images, wiggle([2], 1)), // prettier-ignore
  op('batch norm', (x, s) => tf.mean(tf.tanh(tf.mul(normed(x!, [0, 1, 2]), s!)), [1, 2]), images, wiggle([2], 1)),
  op(
    'attention',
    (x, w) => {
      const [q, k, v] = tf.split(tf.matMul(x!, w!), 3, -1) as [tf.Tensor, tf.Tensor, tf.Tensor]
      const weights = tf.softmax(tf.div(tf.matMul(q, k, false, true), Math.sqrt(4)))
      return tf.add(tf.slice(x!, 0, [2, 5, 4]), tf.matMul(weights, v))
    },
    wiggle([2, 5, 4], 1),
    wiggle([4, 12], 2),
  ),
  op(
    'LSTM',
    (x, w, u) => {
      let [hidden, cell]: tf.Tensor[] = [tf.zeros([2, 3]), tf.zeros([2, 3])]
      for (const frame of tf.unstack(x!, 1)) {
        const gates = tf.add(tf.matMul(frame, w!), tf.matMul(hidden!, u!))
        const [i, f, o, g] = tf.split(gates, 4, 1) as [tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]
        cell = tf.add(tf.mul(tf.sigmoid(tf.add(f, 1)), cell!), tf.mul(tf.sigmoid(i), tf.tanh(g)))
        hidden = tf.mul(tf.sigmoid(o), tf.tanh(cell))
      }
      return hidden!
    },
    wiggle([2, 9, 4], 1),
    wiggle([4, 12], 2),
    wiggle([3, 12], 3),
  ),
  op(
    'gradient penalty of a convolution',
    (x, w) => {
      const score = (y: tf.Tensor): tf.Tensor => tf.sum(tf.square(tf.tanh(conv(y, w!, 2))))
      const slope = tf.grad(score)(x!)
      return tf.square(tf.sub(tf.sqrt(tf.add(tf.sum(tf.square(slope), [1, 2, 3]), 1e-3)), 1))
    },
    images,
    wiggle([3, 3, 2, 3], 2),
  ),
  op(
    'gradient penalty of dense layers',
    (x, w) => tf.mean(tf.square(tf.grad((y) => tf.sum(tf.sigmoid(tf.matMul(tf.tanh(tf.matMul(y, w!)), w!))))(x!))),
    a64,
    w44,
  ),
  op(
    'spectral norm',
    (w, v) => {
      const left = unit(tf.reshape(tf.matMul(w!, tf.reshape(v!, [4, 1])), [1, 4]))
      const right = unit(tf.matMul(left, w!))
      return tf.div(w!, tf.add(tf.sum(tf.mul(tf.matMul(left, w!), right)), 2))
    },
    w44,
    wiggle([4], 1),
  ),
  op(
    'mixture density',
    (x, w) => {
      const [logits, mean, raw] = tf.split(tf.matMul(x!, w!), [2, 2, 2], 1) as [tf.Tensor, tf.Tensor, tf.Tensor]
      const std = tf.add(tf.softplus(raw), 0.1)
      const terms = tf.sub(tf.mul(tf.square(tf.div(tf.sub(0.3, mean), std)), -0.5), tf.log(std))
      return tf.neg(tf.logSumExp(tf.add(tf.logSoftmax(logits), terms), 1))
    },
    a64,
    wiggle([4, 6], 2),
  ),
  op('KL of categoricals', (a, b) => tf.sum(tf.mul(tf.softmax(a!), tf.sub(tf.log(tf.softmax(a!)), tf.logSoftmax(b!))), 1), a64, b64), // prettier-ignore
  op(
    'quantile Huber',
    (a, b) => {
      const error = tf.sub(tf.expandDims(b!, 1), tf.expandDims(a!, 2)) // [B, N, N]
      const clipped = tf.clipByValue(error, -1, 1)
      const huber = tf.mul(clipped, tf.sub(error, tf.mul(clipped, 0.5)))
      const share = tf.abs(tf.sub(tf.reshape(tf.linspace(0.1, 0.9, 4), [4, 1]), tf.cast(tf.less(error, 0), 'float32')))
      return tf.mean(tf.sum(tf.mul(share, huber), 1))
    },
    a64,
    b64,
  ),
  op(
    'distance of Gaussians with roots',
    (a, b) => {
      const [p, q] = [a, b].map((x) => tf.add(tf.square(x!), 0.2)) as [tf.Tensor, tf.Tensor]
      return tf.sqrt(tf.sum(tf.square(tf.sub(tf.sqrt(p), tf.sqrt(q))), 1))
    },
    a64,
    b64,
  ),
  op('layer norm and gelu', (x, w) => tf.matMul(tf.mul(normed(x!, [1]), tf.mul(0.5, tf.add(1, tf.erf(tf.div(normed(x!, [1]), Math.SQRT2))))), w!), a64, w44), // prettier-ignore
  op(
    'clipping by the norm of all gradients',
    (x, w) => {
      const slope = tf.grad((v) => tf.mean(tf.square(tf.tanh(tf.matMul(x!, v)))))(w!)
      return tf.mul(slope, tf.minimum(1, tf.div(0.05, tf.add(tf.norm(slope), 1e-6))))
    },
    a64,
    w44,
  ),
]
