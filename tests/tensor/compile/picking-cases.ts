import type { NdArray } from '../../../src/core/ndarray.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { array, wiggle } from '../numerics.ts'
import type { OpCase } from './op-cases.ts'

type Fn = OpCase['fn']

function op(name: string, fn: Fn, ...inputs: NdArray[]): OpCase {
  return { name, fn, inputs }
}

function valueOnly(name: string, fn: Fn, ...inputs: NdArray[]): OpCase {
  return { name, fn, inputs, gradient: false }
}

function ints(values: readonly number[], shape: readonly number[] = [values.length]): NdArray<Int32Array> {
  return { data: Int32Array.from(values), shape }
}

/** The gradient of the weighted sum of `fn`, as a function: differentiating it asks for second derivatives. */
function slopeOf(fn: (x: tf.Tensor) => tf.Tensor): (x: tf.Tensor) => tf.Tensor {
  return (x) => {
    const weight = tf.tensor(wiggle(fn(x).shape, 0.4).data, fn(x).shape)
    return tf.grad((y: tf.Tensor) => tf.sum(tf.mul(fn(y), weight)))(x)
  }
}

const x34 = array([0.9, -0.4, 0.3, 0.7, -0.8, 0.2, 0.55, -0.15, 0.1, -0.65, 0.45, -0.95], [3, 4])
const volume = wiggle([2, 3, 4, 3, 2], 1)
const images = wiggle([2, 5, 6, 2], 2)

const PICKING: OpCase[] = [
  op('logSigmoid of a product', (x) => tf.logSigmoid(tf.mul(x!, 2)), x34),
  op('unstack into one', (x) => tf.unstack(tf.mul(tf.reshape(x!, [1, 12]), 2))[0]!, x34),
  op('split into one', (x) => tf.split(tf.mul(x!, 2), 1, 1)[0]!, x34),
  op('where any', (x) => tf.where(tf.any(tf.greater(x!, 0.6), 1), tf.sum(x!, 1), tf.square(tf.mean(x!, 1))), x34),
  op('where all', (x) => tf.where(tf.all(tf.greater(x!, -0.7), 1), tf.sum(x!, 1), tf.square(tf.mean(x!, 1))), x34),
  op('rows at the place of the smallest', (x) => tf.gather(tf.transpose(tf.square(x!)), tf.argMin(x!, 1)), x34),
  op(
    'the hardest negative within the margin',
    (x) => {
      const distances = tf.square(tf.sub(tf.expandDims(x!, 0), tf.expandDims(x!, 1))) // [3, 3, 4]
      const table = tf.sum(distances, 2) // [3, 3]
      const far = tf.cast(tf.greater(table, tf.mean(table, 1, true)), 'float32')
      const nearest = tf.argMin(tf.add(table, tf.mul(tf.sub(1, far), 1e3)), 1)
      return tf.sum(tf.mul(table, tf.oneHot(nearest, 3, 1, 0, 'float32')), 1)
    },
    x34,
  ),
  op('a float through an integer', (x) => tf.add(tf.cast(tf.cast(tf.mul(x!, 8), 'int32'), 'float32'), x!), x34),
  op('topk', (x) => tf.topk(tf.mul(x!, 2), 3).values, x34),
  valueOnly('places of topk', (x) => tf.topk(x!, 2).indices, array([1, 3, 3, 2, 5, 5, 5, 1], [2, 4])),
  op('gatherND', (x) => tf.gatherND(tf.square(x!), tf.tensor2d([[0, 1], [2, 3], [0, 1]], [3, 2], 'int32')), x34), // prettier-ignore
  op('gatherND of rows', (x) => tf.gatherND(tf.square(x!), tf.tensor2d([[2], [0], [2]], [3, 1], 'int32')), x34), // prettier-ignore
  op('scatterND, twice to one place', (x) => tf.scatterND(tf.tensor2d([[3], [0], [3]], [3, 1], 'int32'), tf.square(x!), [5, 4]), x34), // prettier-ignore
  op(
    'tensorScatterUpdate',
    (x, y) => tf.tensorScatterUpdate(tf.square(x!), tf.tensor2d([[2, 1], [0, 3]], [2, 2], 'int32'), tf.exp(y!)), // prettier-ignore
    x34,
    wiggle([2]),
  ),
  valueOnly('tensorScatterUpdate, twice to one place', (x, i, y) => tf.tensorScatterUpdate(x!, i!, y!), wiggle([4]), ints([1, 3, 1], [3, 1]), wiggle([3], 2)), // prettier-ignore
  op('gather from a long table', (x) => tf.gather(tf.tile(tf.square(x!), [1, 1000]), tf.range(0, 400, 1, 'int32'), 1), x34), // prettier-ignore
]

const PRODUCTS: OpCase[] = [
  op('matMul, sequences by one matrix', (a, b) => tf.matMul(a!, b!), wiggle([2, 3, 4]), wiggle([4, 5], 1)),
  op('matMul, one matrix by sequences', (a, b) => tf.matMul(a!, b!), wiggle([3, 4]), wiggle([2, 4, 5], 1)),
  ...[[false, true], [true, false], [true, true]].map(([p, q]) =>
    op(
      `matMul, broadcast batch, transposed ${p} ${q}`,
      (a, b) => tf.matMul(a!, b!, p, q),
      wiggle(p ? [2, 1, 4, 3] : [2, 1, 3, 4]),
      wiggle(q ? [3, 5, 4] : [3, 4, 5], 1),
    ),
  ), // prettier-ignore
  op('einsum, attention', (a, b) => tf.einsum('bqd,bkd->bqk', a!, b!), wiggle([2, 3, 4]), wiggle([2, 5, 4], 1)),
  op('einsum, bilinear', (a, b, c) => tf.einsum('bi,ij,bj->b', a!, b!, c!), wiggle([2, 3]), wiggle([3, 4]), wiggle([2, 4], 1)), // prettier-ignore
  op('einsum, trace-like sums', (a, b) => tf.einsum('ijk,jl->li', a!, b!), wiggle([2, 3, 4]), wiggle([3, 5], 1)),
  op('einsum, outer', (a, b) => tf.einsum('i,j->ji', a!, b!), wiggle([3]), wiggle([2], 1)),
  op('einsum, one operand', (a) => tf.einsum('ijk->ki', tf.square(a!)), wiggle([2, 3, 4])),
  op('einsum to a number', (a, b) => tf.einsum('ij,ij->', a!, b!), wiggle([2, 3]), wiggle([2, 3], 1)),
  op('conv2d with holes', (x, f) => tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same', 'NHWC', 2), images, wiggle([3, 3, 2, 3], 1)), // prettier-ignore
  op('conv2d with unequal holes', (x, f) => tf.conv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'valid', 'NHWC', [1, 3]), images, wiggle([2, 2, 2, 3], 1)), // prettier-ignore
  op('conv1d with holes, past alone', (x, f) => tf.conv1d(tf.pad(x!, [[0, 0], [4, 0], [0, 0]]) as tf.Tensor3D, f as tf.Tensor3D, 1, 'valid', 'NWC', 2), wiggle([2, 7, 3]), wiggle([3, 3, 2], 1)), // prettier-ignore
  op('depthwise', (x, f) => tf.depthwiseConv2d(x as tf.Tensor4D, f as tf.Tensor4D, 1, 'same'), images, wiggle([3, 2, 2, 2], 1)), // prettier-ignore
  op('depthwise, strides', (x, f) => tf.depthwiseConv2d(x as tf.Tensor4D, f as tf.Tensor4D, 2, 'valid'), images, wiggle([2, 3, 2, 1], 1)), // prettier-ignore
  op('separable', (x, f, p) => tf.separableConv2d(x as tf.Tensor4D, f as tf.Tensor4D, p as tf.Tensor4D, 1, 'valid'), images, wiggle([2, 2, 2, 1], 1), wiggle([1, 1, 2, 3], 2)), // prettier-ignore
  op('conv3d', (x, f) => tf.conv3d(x as tf.Tensor5D, f as tf.Tensor5D, 1, 'same'), volume, wiggle([2, 3, 2, 2, 3], 1)),
  op('conv3d, strides', (x, f) => tf.conv3d(x as tf.Tensor5D, f as tf.Tensor5D, [1, 2, 1], 'valid'), volume, wiggle([2, 2, 2, 2, 1], 1)), // prettier-ignore
]

const PROBABILITIES: OpCase[] = [
  op('logSumExp along an axis of one', (x) => tf.logSumExp(tf.reshape(x!, [12, 1]), 1), x34),
  op('logSumExp of one', (x) => tf.logSumExp(tf.slice(tf.square(x!), [1, 1], [1, 1])), x34),
  op('log of an exponential by a row', (x, y) => tf.mul(tf.log(tf.exp(x!)), tf.exp(y!)), x34, wiggle([4])),
  op('log of a softmax', (x) => tf.log(tf.softmax(x!)), x34),
  op('log of a sigmoid of a scalar', (x) => tf.log(tf.sigmoid(tf.mean(x!))), x34),
]

const RECURRENT: OpCase[] = [
  op(
    'a weight used at every step',
    (x, w, b) => {
      let hidden = x!
      for (let i = 0; i < 10; i++) {
        const gate = tf.sigmoid(tf.add(tf.matMul(hidden, w!), b!))
        hidden = tf.add(tf.mul(gate, hidden), tf.mul(tf.sub(1, gate), tf.tanh(tf.matMul(x!, w!, false, true))))
      }
      return hidden
    },
    wiggle([3, 4]),
    wiggle([4, 4], 1),
    wiggle([4], 2),
  ),
]

const CROPS: OpCase[] = (['bilinear', 'nearest'] as const).flatMap((method) =>
  [[3, 4], [1, 1]].map(([height, width]) =>
    valueOnly(
      `cropAndResize to ${height} x ${width}, ${method}`,
      (x, b, i) => tf.image.cropAndResize(x as tf.Tensor4D, b as tf.Tensor2D, i as tf.Tensor1D, [height!, width!], method, 0.5), // prettier-ignore
      images,
      array([0, 0, 1, 1, 0.2, 0.1, 0.7, 0.9, -0.3, 0.2, 0.6, 1.4, 0.9, 0.8, 0.1, 0.2, 0.5, 0.5, 0.5, 0.5], [5, 4]),
      ints([0, 1, 1, 0, 1]),
    ),
  ),
) // prettier-ignore

const SMOOTH: Record<string, (x: tf.Tensor) => tf.Tensor> = {
  elu: tf.elu,
  selu: tf.selu,
  softplus: tf.softplus,
  sigmoid: tf.sigmoid,
  tanh: tf.tanh,
  logSigmoid: tf.logSigmoid,
  square: tf.square,
  'leaky relu of a square': (x) => tf.leakyRelu(tf.sub(tf.square(x), 0.25)),
  'relu of a square': (x) => tf.relu(tf.sub(tf.square(x), 0.25)),
  softmax: (x) => tf.softmax(x),
  logSoftmax: (x) => tf.logSoftmax(x),
  logSumExp: (x) => tf.logSumExp(x, 1),
  'layer norm': (x) => {
    const { mean, variance } = tf.moments(x, 1, true)
    return tf.div(tf.sub(x, mean), tf.sqrt(tf.add(variance, 0.1)))
  },
  'the norm of rows': (x) => tf.norm(x, 2, 1),
  gelu: (x) => tf.mul(x, tf.mul(tf.add(tf.erf(tf.div(x, Math.SQRT2)), 1), 0.5)),
  'a gather': (x) => tf.square(tf.gather(x, tf.tensor1d([0, 2, 2], 'int32'))),
  'a product over sequences': (x) =>
    tf.square(tf.matMul(tf.reshape(x, [3, 2, 2]), tf.reshape(tf.slice(x, 0, 1), [2, 2]))),
  'a convolution': (x) => tf.tanh(tf.conv2d(tf.reshape(x, [1, 3, 4, 1]) as tf.Tensor4D, tf.reshape(tf.slice(x, 0, 1), [2, 2, 1, 1]) as tf.Tensor4D, 1, 'same')), // prettier-ignore
  'a convolution with holes': (x) => tf.tanh(tf.conv2d(tf.reshape(x, [1, 3, 4, 1]) as tf.Tensor4D, tf.reshape(tf.slice(x, 0, 1), [2, 2, 1, 1]) as tf.Tensor4D, 1, 'same', 'NHWC', 2)), // prettier-ignore
}

/** What picks elements, what multiplies along axes, and second derivatives. */
export const PICKING_CASES: readonly OpCase[] = [
  ...PICKING,
  ...PRODUCTS,
  ...CROPS,
  ...RECURRENT,
  ...PROBABILITIES,
  ...Object.entries(SMOOTH).map(([name, fn]) => op(`second derivative of ${name}`, (x) => slopeOf(fn)(x!), x34)),
]
