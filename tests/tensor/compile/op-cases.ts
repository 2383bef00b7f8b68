import type { NdArray } from '../../../src/core/ndarray.ts'
import { sizeOf } from '../../../src/core/ndarray.ts'
import type { EngineName } from '../../../src/tensor/engine.ts'
import { tf } from '../../../src/tensor/tf.ts'
import { array, wiggle } from '../numerics.ts'

/** A function of tensors that every engine must agree on, with inputs away from its kinks. */
export interface OpCase {
  readonly name: string
  readonly inputs: readonly NdArray[]
  readonly fn: (...inputs: tf.Tensor[]) => tf.Tensor
  /** Whether it is differentiated too (float inputs only). Default true. */
  readonly gradient?: boolean
  /** The engine that has no such op, and says so. */
  readonly lackedBy?: EngineName
}

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

function bytes(shape: readonly number[]): NdArray<Uint8Array> {
  return { data: Uint8Array.from({ length: sizeOf(shape) }, (_, i) => (37 * i + 11) % 256), shape }
}

/** wiggle, moved to [low, high]. */
function between(low: number, high: number, shape: readonly number[], phase = 0): NdArray<Float32Array> {
  const { data } = wiggle(shape, phase)
  return array(
    data.map((x) => low + ((x + 1) / 2) * (high - low)),
    shape,
  )
}

/** wiggle, with everything closer than 0.1 to 0 pushed away. */
function offZero(shape: readonly number[], phase = 0): NdArray<Float32Array> {
  const { data } = wiggle(shape, phase)
  return array(
    data.map((x) => x + (x < 0 ? -0.1 : 0.1)),
    shape,
  )
}

/** Numbers in [-1, 1) of which no two are close, in no order. */
function spaced(shape: readonly number[]): NdArray<Float32Array> {
  const count = sizeOf(shape)
  return array(
    Array.from({ length: count }, (_, i) => (2 * ((i * 7 + 3) % count)) / count - 1),
    shape,
  )
}

const [x4, x34, x1] = [wiggle([4], 1), wiggle([3, 4], 2), wiggle([1], 3)]
const positive34 = between(0.2, 3, [3, 4])

const ARITHMETIC: OpCase[] = [
  op('add', tf.add, x34, wiggle([3, 4])),
  op('add, broadcast row', tf.add, x34, x4),
  op('add, broadcast column', tf.add, x34, wiggle([3, 1])),
  op('add, both broadcast', tf.add, wiggle([3, 1]), x4),
  op('add, higher rank', tf.add, wiggle([2, 3, 4]), x34),
  op('add, scalar', tf.add, x34, wiggle([])),
  op('addN', (a, b, c) => tf.addN([a!, b!, c!]), x34, wiggle([3, 4], 5), wiggle([3, 4], 6)),
  op('sub', tf.sub, x34, x4),
  op('mul', tf.mul, x34, wiggle([3, 1], 4)),
  op('div', tf.div, x34, between(0.5, 2, [4])),
  op('div by a number', (x) => tf.div(x!, 3), x34),
  op('maximum', tf.maximum, x34, wiggle([3, 4], 7)),
  op('minimum', tf.minimum, x34, wiggle([4], 7)),
  op('squaredDifference', tf.squaredDifference, x34, x4),
  op('pow', tf.pow, positive34, between(-2, 2, [3, 4], 1)),
  ...[0.5, 1, 1.5, 2, 3, -1].map((p) => op(`pow ${p}`, (x) => tf.pow(x!, p), positive34)),
  op('neg', tf.neg, x34),
  op('abs', tf.abs, offZero([3, 4])),
  op('sign', (x) => tf.mul(tf.sign(x!), x!), offZero([3, 4])),
  op('square', tf.square, x34),
  op('sqrt', tf.sqrt, positive34),
  op('rsqrt', tf.rsqrt, positive34),
  op('reciprocal', tf.reciprocal, positive34),
  op('exp', tf.exp, between(-4, 3, [3, 4])),
  op('expm1', tf.expm1, between(-0.01, 0.01, [3, 4])),
  op('log', tf.log, positive34),
  op('log1p', tf.log1p, between(-1e-3, 1e-3, [3, 4])),
  op('log1p, far', tf.log1p, between(-0.5, 4, [3, 4])),
  op('sin', tf.sin, x34),
  op('cos', tf.cos, x34),
  op('tan', tf.tan, x34),
  op('asin', tf.asin, between(-0.9, 0.9, [3, 4])),
  op('acos', tf.acos, between(-0.9, 0.9, [3, 4])),
  op('atan', tf.atan, x34),
  op('atan2', tf.atan2, offZero([3, 4]), offZero([3, 4], 1)),
  valueOnly('atan2 on the axes', tf.atan2, array([0, 1, -1, 0, 0]), array([0, 0, 0, 1, -1])),
  op('sinh', tf.sinh, x34),
  op('cosh', tf.cosh, x34),
  op('erf', tf.erf, x34),
  valueOnly('floor', tf.floor, between(-3, 3, [3, 4])),
  valueOnly('ceil', tf.ceil, between(-3, 3, [3, 4])),
  valueOnly('round', tf.round, between(-3, 3, [3, 4])),
  valueOnly('floorDiv', tf.floorDiv, ints([7, -7, 8, -8]), ints([2, 2, 3, 3])),
  valueOnly('mod', tf.mod, between(-3, 3, [3, 4]), between(0.5, 2, [4])),
  valueOnly(
    'int32 arithmetic',
    (a, b) => tf.sub(tf.mul(a!, b!), tf.maximum(a!, b!)),
    ints([3, -4, 5]),
    ints([2, 2, -9]),
  ),
  valueOnly('divNoNan', tf.divNoNan, x4, array([1, 0, 2, 0])),
  op('x * 1 + 0 - 0, folded', (x) => tf.sub(tf.add(tf.mul(x!, 1), 0), tf.zerosLike(x!)), x34),
  op('numbers only', (x) => tf.add(tf.mul(tf.exp(tf.scalar(1)), tf.sqrt(tf.mul(tf.ones([3, 4]), 2))), x!), x34),
]

const COMPARISONS: OpCase[] = [
  ...([tf.equal, tf.notEqual, tf.greater, tf.greaterEqual, tf.less, tf.lessEqual] as const).map((fn) =>
    valueOnly(fn.name.replace(/_+op$/, ''), fn, array([1, 2, 3, 2]), array([2, 2, 2, 2])),
  ),
  valueOnly(
    'logical',
    (a, b) => {
      const [p, q] = [tf.greater(a!, 0), tf.greater(b!, 0)]
      return tf.logicalOr(tf.logicalAnd(p, tf.logicalNot(q)), tf.logicalXor(p, q))
    },
    x34,
    x4,
  ),
  valueOnly(
    'isNaN, isInf, isFinite',
    (x) => {
      const strange = tf.div(x!, tf.relu(x!))
      return tf.stack([tf.isNaN(strange), tf.isInf(strange), tf.isFinite(strange)].map((y) => tf.cast(y, 'int32')))
    },
    array([0, 1, -2, 3]),
  ),
  op('where', (c, a, b) => tf.where(tf.greater(c!, 0), a!, b!), x34, wiggle([3, 4], 8), wiggle([3, 4], 9)),
  op('where with numbers', (x) => tf.where(tf.greater(x!, 0), x!, tf.zerosLike(x!)), offZero([3, 4])),
  op('clipByValue', (x) => tf.clipByValue(x!, -0.5, 0.4), x34),
  valueOnly(
    'all and any',
    (x) => tf.logicalAnd(tf.any(tf.greater(x!, 0), 1), tf.logicalNot(tf.all(tf.greater(x!, 0), 1))),
    x34,
  ),
]

const ACTIVATIONS: OpCase[] = [
  op('relu', tf.relu, offZero([3, 4])),
  op('relu6', (x) => tf.relu6(tf.mul(x!, 9)), offZero([3, 4])),
  op('leakyRelu', (x) => tf.leakyRelu(x!, 0.1), offZero([3, 4])),
  op('prelu', tf.prelu, offZero([3, 4]), wiggle([4], 2)),
  op('elu', tf.elu, offZero([3, 4])),
  op('selu', tf.selu, offZero([3, 4])),
  op('sigmoid', tf.sigmoid, between(-6, 6, [3, 4])),
  op('softplus', tf.softplus, between(-6, 6, [3, 4])),
  op('tanh', tf.tanh, between(-3, 3, [3, 4])),
  valueOnly('step', (x) => tf.step(x!, 0.25), offZero([3, 4])),
  op('softmax', (x) => tf.softmax(x!), x34),
  op('logSoftmax', (x) => tf.logSoftmax(x!), x34),
  op('logSigmoid', tf.logSigmoid, between(-6, 6, [3, 4])),
  op('logSumExp', (x) => tf.logSumExp(x!, 1), x34),
  op(
    'softmax cross entropy',
    (x) => tf.losses.softmaxCrossEntropy(tf.oneHot(tf.tensor1d([1, 0, 3], 'int32'), 4), x!),
    x34,
  ),
  op(
    'log-probability of a tanh-Gaussian',
    (mean, logStd, noise) => {
      const u = tf.add(mean!, tf.mul(tf.exp(logStd!), noise!))
      const gaussian = tf.sub(tf.mul(tf.square(noise!), -0.5), logStd!)
      const correction = tf.mul(2, tf.sub(Math.log(2), tf.add(u, tf.softplus(tf.mul(u, -2)))))
      return tf.sum(tf.sub(gaussian, correction), 1)
    },
    x34,
    between(-2, 0, [3, 4]),
    wiggle([3, 4], 5),
  ),
  op(
    'layer norm',
    (x, gain, bias) => {
      const { mean, variance } = tf.moments(x!, 1, true)
      return tf.add(tf.mul(tf.mul(tf.sub(x!, mean), tf.rsqrt(tf.add(variance, 1e-5))), gain!), bias!)
    },
    wiggle([3, 6]),
    between(0.5, 2, [6]),
    wiggle([6], 3),
  ),
  op(
    'batchNorm',
    (x, mean, scale) => tf.batchNorm(x!, mean!, tf.mul(tf.ones([3]), 0.5), tf.zeros([3]), scale!),
    wiggle([2, 2, 2, 3]),
    wiggle([3]),
    wiggle([3], 1),
  ),
  op(
    'customGrad',
    (x) =>
      tf.customGrad((y: tf.Tensor | tf.GradSaveFunc) => ({
        value: tf.square(y as tf.Tensor),
        gradFunc: (dy: tf.Tensor) => tf.mul(tf.mul(dy, 2), x!),
      }))(x!),
    x34,
  ),
]

const x234 = wiggle([2, 3, 4])

const REDUCTIONS: OpCase[] = [
  ...([undefined, 0, 1, 2, [0, 1], [0, 2], [1, 2], -1] as const).flatMap((axis) => [
    op(`sum over ${String(axis)}`, (x) => tf.sum(x!, axis as number), x234),
    op(`mean over ${String(axis)}`, (x) => tf.mean(x!, axis as number), x234),
    op(`max over ${String(axis)}`, (x) => tf.max(x!, axis as number), spaced([5, 3, 4])),
  ]),
  op('sum, keepDims', (x) => tf.mul(tf.sum(x!, 1, true), x!), x234),
  op('min', (x) => tf.min(x!, 1), x234),
  op('prod', (x) => tf.prod(x!, 1), between(0.5, 1.5, [2, 3])),
  op('sum over axes of size 1', (x) => tf.sum(x!, [0, 2]), wiggle([1, 4, 1])),
  op('sum of a broadcast', (x) => tf.sum(tf.mul(tf.broadcastTo(x!, [5, 3, 4]), 2), [0, 2]), wiggle([3, 1])),
  op('mean of a broadcast', (x) => tf.mean(tf.tile(x!, [4, 1])), wiggle([1, 3])),
  op('column sums of many rows', (x) => tf.sum(x!, 0), wiggle([1536, 20])),
  op('column sums of many short rows', (x) => tf.sum(x!, [0, 1]), wiggle([64, 32, 3])),
  op('column means of a prime number of rows', (x) => tf.mean(x!, 0), wiggle([1031, 3])),
  valueOnly('sum of booleans', (x) => tf.sum(tf.greater(x!, 0)), x34),
  valueOnly('argMax', (x) => tf.argMax(x!, 1), x234),
  valueOnly('argMin', (x) => tf.argMin(x!, -1), x234),
  ...[true, false].flatMap((exclusive) =>
    [true, false].map((reverse) =>
      op(
        `cumsum ${exclusive ? 'exclusive ' : ''}${reverse ? 'reverse' : ''}`,
        (x) => tf.cumsum(x!, 1, exclusive, reverse),
        x234,
      ),
    ),
  ),
  valueOnly('cumprod', (x) => tf.cumprod(x!, 1, true, true), x234),
  op('reverse', (x) => tf.reverse(x!, [0, 2]), x234),
  op('moments', (x) => tf.add(...(Object.values(tf.moments(x!, [0, 1])) as [tf.Tensor, tf.Tensor])), x234),
  op('norm', (x) => tf.norm(x!, 2, 1), x234),
]

const SHAPES: OpCase[] = [
  op('reshape', (x) => tf.reshape(x!, [4, -1]), x234),
  op('reshape of a reshape', (x) => tf.reshape(tf.reshape(x!, [24]), [2, 12]), x234),
  op('expandDims and squeeze', (x) => tf.squeeze(tf.mul(tf.expandDims(x!, 1), 2), [1]), x34),
  op('transpose', (x) => tf.transpose(x!, [2, 0, 1]), x234),
  op('transpose and back', (x) => tf.transpose(tf.transpose(x!, [2, 0, 1]), [1, 2, 0]), x234),
  op('cast', (x) => tf.mul(tf.cast(tf.cast(tf.greater(x!, 0), 'int32'), 'float32'), x!), x34),
  op('slice', (x) => tf.slice(x!, [0, 1, 0], [2, 2, 3]), x234),
  op(
    'slices of a vector',
    (x) => tf.add(tf.slice(x!, [0], [4]), tf.mul(tf.slice(x!, [4], [4]), tf.slice(x!, [9], [4]))),
    wiggle([14]),
  ),
  op('overlapping slices', (x) => tf.mul(tf.slice(x!, [0], [6]), tf.slice(x!, [2], [6])), wiggle([9])),
  valueOnly('strided slice', (x) => tf.stridedSlice(x!, [0, 3, 1], [2, 0, 4], [1, -1, 2]), x234),
  op(
    'pad',
    (x) =>
      tf.pad(
        x!,
        [
          [1, 0],
          [0, 2],
        ],
        0.5,
      ),
    x34,
  ),
  valueOnly(
    'mirror pad, reflect',
    (x) =>
      tf.mirrorPad(
        x!,
        [
          [1, 2],
          [2, 3],
        ],
        'reflect',
      ),
    x34,
  ),
  valueOnly(
    'mirror pad, symmetric',
    (x) =>
      tf.mirrorPad(
        x!,
        [
          [3, 2],
          [1, 0],
        ],
        'symmetric',
      ),
    x34,
  ),
  op('concat', (a, b, c) => tf.concat([a!, b!, c!], 1), x34, wiggle([3, 1]), wiggle([3, 2])),
  op('concat of what was split', (x) => tf.concat(tf.split(x!, [1, 2, 1], 1), 1), x34),
  op('stack', (a, b) => tf.stack([a!, b!], -1), x34, wiggle([3, 4])),
  op('unstack', (x) => tf.mul(...(tf.unstack(x!, 0) as [tf.Tensor, tf.Tensor])), x234),
  op(
    'split',
    (x) => {
      const [a, b] = tf.split(x!, [3, 1], 1) as [tf.Tensor, tf.Tensor]
      return tf.mul(a, b)
    },
    x34,
  ),
  op('one piece of a split', (x) => tf.split(x!, 2, -1)[1]!, x34),
  op('tile', (x) => tf.tile(x!, [2, 3]), x34),
  op('tile of an axis of size 1', (x) => tf.mul(tf.tile(x!, [2, 1, 1]), tf.ones([2, 3, 4])), wiggle([1, 3, 4])),
  op('broadcastTo', (x) => tf.broadcastTo(x!, [2, 3, 4]), wiggle([3, 1])),
  valueOnly('depthToSpace', (x) => tf.depthToSpace(x as tf.Tensor4D, 2, 'NHWC'), wiggle([1, 2, 3, 8])),
  op('constants', (x) => tf.add(tf.mul(x!, tf.range(0, 4)), tf.linspace(0, 1, 4)), x34),
  op('eye', (x) => tf.matMul(x!, tf.eye(4)), x34),
  op('a value of one element in many shapes', (x) => tf.reshape(tf.add(tf.reshape(x!, []), tf.zeros([2, 1])), [2]), x1),
]

const INDEXING: OpCase[] = [
  op('gather', (x) => tf.gather(x!, tf.tensor1d([2, 0, 2], 'int32')), x34),
  op(
    'gather along the last axis',
    (x) =>
      tf.gather(
        x!,
        tf.tensor2d(
          [
            [3, 0],
            [1, 1],
          ],
          [2, 2],
          'int32',
        ),
        2,
      ),
    x234,
  ),
  valueOnly('gather with indices from outside', (x, i) => tf.gather(x!, tf.cast(i!, 'int32')), x34, ints([1, 1, 0])),
  valueOnly(
    'gather with batch axes',
    (x) =>
      tf.gather(
        x!,
        tf.tensor2d(
          [
            [3, 0],
            [1, 2],
          ],
          [2, 2],
          'int32',
        ),
        2,
        1,
      ),
    x234,
  ),
  valueOnly(
    'gather with batch axes along the next one',
    (x) =>
      tf.gather(
        x!,
        tf.tensor2d(
          [
            [2, 0],
            [1, 2],
          ],
          [2, 2],
          'int32',
        ),
        1,
        1,
      ),
    x234,
  ),
  valueOnly(
    'gatherND',
    (x) =>
      tf.gatherND(
        x!,
        tf.tensor2d(
          [
            [0, 1],
            [1, 2],
          ],
          [2, 2],
          'int32',
        ),
      ),
    x234,
  ),
  valueOnly('unsortedSegmentSum', (x) => tf.unsortedSegmentSum(x!, tf.tensor1d([1, 0, 1], 'int32'), 3), x34),
  valueOnly('oneHot', (i) => tf.oneHot(i as tf.Tensor1D, 5, 0.75, 0.25, 'float32'), ints([0, 4, 2])),
  op(
    'cosine similarity of pairs',
    (a, b) => {
      const unit = (x: tf.Tensor): tf.Tensor => tf.div(x, tf.norm(x, 2, 1, true))
      return tf.logSoftmax(tf.matMul(unit(a!), unit(b!), false, true))
    },
    wiggle([3, 5]),
    wiggle([3, 5], 1),
  ),
]

const MATRICES: OpCase[] = [
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => {
      const a = wiggle(transposeA ? [4, 3] : [3, 4])
      const b = wiggle(transposeB ? [5, 4] : [4, 5], 1)
      return op(
        `matMul ${transposeA ? "a'" : 'a'} ${transposeB ? "b'" : 'b'}`,
        (x, y) => tf.matMul(x!, y!, transposeA, transposeB),
        a,
        b,
      )
    }),
  ),
  ...[false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => {
      const a = wiggle(transposeA ? [2, 4, 3] : [2, 3, 4])
      const b = wiggle(transposeB ? [2, 5, 4] : [2, 4, 5], 1)
      return op(
        `batched matMul ${transposeA ? "a'" : 'a'} ${transposeB ? "b'" : 'b'}`,
        (x, y) => tf.matMul(x!, y!, transposeA, transposeB),
        a,
        b,
      )
    }),
  ),
  op(
    'dense layer',
    (x, w, b) => tf.relu(tf.add(tf.matMul(x!, w!), b!)),
    wiggle([5, 4]),
    wiggle([4, 3], 1),
    wiggle([3], 2),
  ),
  op(
    'dense layer of an ensemble',
    (x, w, b) => {
      const shared = tf.tile(tf.expandDims(x!, 0), [2, 1, 1])
      return tf.relu(tf.add(tf.matMul(shared, w!), b!))
    },
    wiggle([5, 4]),
    wiggle([2, 4, 3], 1),
    wiggle([2, 1, 3], 2),
  ),
  op('batched matMul with a batch of one', (x, w) => tf.matMul(x!, w!), wiggle([1, 5, 4]), wiggle([1, 4, 3], 1)),
  valueOnly(
    'matMul with one matrix for a whole batch',
    (x, w) => tf.matMul(x!, w!),
    wiggle([2, 5, 4]),
    wiggle([4, 3], 1),
  ),
  op('dot', (a, b) => tf.dot(a!, b!), x4, wiggle([4], 4)),
]

interface ConvShape {
  readonly size: readonly [number, number]
  readonly channels: readonly [number, number]
  readonly kernel: readonly [number, number]
  readonly stride: number | [number, number]
  readonly pad: 'same' | 'valid' | number
}

const CONVOLUTIONS: ConvShape[] = [
  { size: [6, 6], channels: [2, 3], kernel: [3, 3], stride: 2, pad: 'same' },
  { size: [7, 5], channels: [2, 3], kernel: [3, 3], stride: 2, pad: 'same' },
  { size: [7, 7], channels: [1, 2], kernel: [3, 3], stride: 2, pad: 'valid' },
  { size: [8, 8], channels: [1, 2], kernel: [3, 3], stride: 2, pad: 'valid' },
  { size: [5, 5], channels: [3, 2], kernel: [3, 3], stride: 1, pad: 'same' },
  { size: [5, 6], channels: [2, 2], kernel: [2, 3], stride: 1, pad: 'valid' },
  { size: [8, 8], channels: [1, 2], kernel: [5, 5], stride: 3, pad: 'valid' },
  { size: [9, 6], channels: [1, 2], kernel: [4, 2], stride: [3, 1], pad: 'same' },
  { size: [6, 6], channels: [2, 3], kernel: [1, 1], stride: 1, pad: 'same' },
  { size: [6, 6], channels: [2, 3], kernel: [1, 1], stride: 2, pad: 'valid' },
  { size: [4, 4], channels: [2, 3], kernel: [4, 4], stride: 1, pad: 'valid' },
  { size: [5, 5], channels: [1, 2], kernel: [3, 3], stride: 1, pad: 2 },
  { size: [6, 6], channels: [2, 3], kernel: [3, 4], stride: 2, pad: 'valid' },
  { size: [9, 9], channels: [3, 4], kernel: [6, 6], stride: 3, pad: 'valid' },
  { size: [8, 8], channels: [2, 20], kernel: [4, 4], stride: 2, pad: 'same' },
]

function describeConv({ size, channels, kernel, stride, pad }: ConvShape): string {
  return `${size.join('x')} ${channels.join('->')}, ${kernel.join('x')} stride ${String(stride)} ${pad}`
}

const IMAGES: OpCase[] = [
  ...CONVOLUTIONS.flatMap((shape): OpCase[] => {
    const { size, channels, kernel, stride, pad } = shape
    const [inputs, outputs] = channels
    const x = wiggle([2, ...size, inputs])
    const filter = wiggle([...kernel, inputs, outputs], 1)
    const conv: Fn = (a, w) => tf.conv2d(a as tf.Tensor4D, w as tf.Tensor4D, stride, pad)
    const y = tf.tidy(() => conv(tf.zeros([...x.shape]), tf.zeros([...filter.shape])).shape)
    const cases = [
      op(`conv2d ${describeConv(shape)}`, conv, x, filter),
      op(
        `conv2dTranspose ${describeConv(shape)}`,
        (a, w) =>
          tf.conv2dTranspose(
            a as tf.Tensor4D,
            w as tf.Tensor4D,
            x.shape as [number, number, number, number],
            stride,
            pad,
          ),
        wiggle(y, 2),
        filter,
      ),
    ]
    return typeof pad === 'number' ? cases.map((opCase) => ({ ...opCase, lackedBy: 'tensorflow' })) : cases
  }),
  valueOnly(
    'conv2d, dilated',
    (x, w) => tf.cast(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 1, 'same', 'NHWC', 2), 'float32'),
    wiggle([1, 6, 6, 2]),
    wiggle([3, 3, 2, 2], 1),
  ),
  op(
    'conv1d',
    (x, w) => tf.conv1d(x as tf.Tensor3D, w as tf.Tensor3D, 2, 'same'),
    wiggle([2, 7, 3]),
    wiggle([3, 3, 4], 1),
  ),
  op(
    'temporal conv over frame features',
    (x, w) => tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, [1, 1], 'valid'),
    wiggle([2, 4, 9, 3]),
    wiggle([3, 1, 3, 4], 1),
  ),
  op(
    'conv2d with bias and relu, twice',
    (x, w, b, v) => {
      const first = tf.relu(tf.add(tf.conv2d(x as tf.Tensor4D, w as tf.Tensor4D, 2, 'same'), b!))
      return tf.relu(tf.conv2d(first as tf.Tensor4D, v as tf.Tensor4D, 2, 'same'))
    },
    wiggle([2, 8, 8, 2]),
    wiggle([3, 3, 2, 3], 1),
    wiggle([3], 2),
    wiggle([3, 3, 3, 2], 3),
  ),
  op('maxPool', (x) => tf.maxPool(x as tf.Tensor4D, 2, 2, 'valid'), wiggle([2, 5, 4, 3])),
  op('maxPool, overlapping, same', (x) => tf.maxPool(x as tf.Tensor4D, 3, 2, 'same'), spaced([1, 6, 5, 2])),
  op('avgPool', (x) => tf.avgPool(x as tf.Tensor4D, 2, 2, 'valid'), wiggle([2, 5, 4, 3])),
  op('avgPool, overlapping', (x) => tf.avgPool(x as tf.Tensor4D, 3, 1, 'valid'), wiggle([1, 5, 5, 2])),
  valueOnly('avgPool, same', (x) => tf.avgPool(x as tf.Tensor4D, 3, 2, 'same'), wiggle([1, 6, 5, 2])),
  ...[
    [false, false],
    [true, false],
    [false, true],
  ].flatMap(([alignCorners, halfPixel]) =>
    (
      [
        [8, 6],
        [3, 2],
      ] as [number, number][]
    ).flatMap((size): OpCase[] => {
      const label = `${size.join('x')}${alignCorners ? ', aligned corners' : ''}${halfPixel ? ', half pixels' : ''}`
      // Square: TF.js's own gradient swaps height and width.
      const images = wiggle([2, 4, 4, 2])
      const bilinear: Fn = (x) => tf.image.resizeBilinear(x as tf.Tensor4D, size, alignCorners, halfPixel)
      const nearest: Fn = (x) => tf.image.resizeNearestNeighbor(x as tf.Tensor4D, size, alignCorners, halfPixel)
      // TF.js's own gradients ignore half pixels, and that of the nearest neighbour is wrong.
      const make = halfPixel ? valueOnly : op
      return [
        make(`resizeBilinear ${label}`, bilinear, images),
        valueOnly(`resizeNearestNeighbor ${label}`, nearest, images),
      ]
    }),
  ),
  valueOnly('frames of bytes', (x) => tf.mul(tf.cast(x!, 'float32'), 1 / 255), bytes([2, 3, 3, 3])),
  valueOnly(
    'convolution of frames of bytes',
    (x) => {
      const pixels = tf.mul(tf.cast(x!, 'float32'), 1 / 255)
      const filter = tf.reshape(tf.linspace(-1, 1, 36), [3, 3, 2, 2])
      return tf.conv2d(pixels as tf.Tensor4D, filter as tf.Tensor4D, 2, 'same')
    },
    bytes([2, 6, 6, 2]),
  ),
  valueOnly('bytes as integers', (x) => tf.add(x!, x!), bytes([2, 5])),
  valueOnly(
    'bytes moved before they are cast',
    (x) => tf.cast(tf.transpose(tf.slice(x!, [0, 1], [2, 3])), 'float32'),
    bytes([2, 5]),
  ),
]

export const OP_CASES: readonly OpCase[] = [
  ...ARITHMETIC,
  ...COMPARISONS,
  ...ACTIVATIONS,
  ...REDUCTIONS,
  ...SHAPES,
  ...INDEXING,
  ...MATRICES,
  ...IMAGES,
]
