import { tf } from '../../tf.ts'
import { binary, unary, where } from '../elementwise.ts'
import type { Graph, Value } from '../graph.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { countingBooleans, mapLowerings, throughFloat } from './lowering.ts'

const { SELU_SCALE, SELU_SCALEALPHA } = tf.backend_util

function clip(g: Graph, x: Value, low: number, high: number): Value {
  if (x.type !== 'float32')
    return binary(g, 'Min', binary(g, 'Max', x, g.splat(low, [], x.type)), g.splat(high, [], x.type))
  return g.op('Clip', [x, g.splat(low), g.splat(high)], { type: x.type, shape: x.shape })
}

/** TF.js: 1 where x > 0, else `alpha` (0, or -1 in the gradient of abs); NaN stays. */
const step: Lowering<{ alpha: number }> = (g, { x }, { alpha }) => {
  const [one, rest] = [g.splat(1, [], x!.type), g.splat(alpha, [], x!.type)]
  const positive = binary(g, 'Greater', x!, g.splat(0, [], x!.type))
  if (x!.type !== 'float32') return where(g, positive, one, rest)
  return where(g, positive, one, where(g, binary(g, 'Equal', x!, x!), rest, x!))
}

/** dy (y + 1) where y < 0, dy elsewhere. */
const eluGrad: Lowering = (g, { dy, y }) => {
  const slope = binary(g, 'Add', binary(g, 'Min', y!, g.splat(0)), g.splat(1))
  return binary(g, 'Mul', dy!, slope)
}

const selu: Lowering = (g, { x }) => {
  const positive = binary(g, 'Mul', x!, g.splat(SELU_SCALE))
  const one = g.splat(1)
  const negative = binary(g, 'Mul', binary(g, 'Sub', unary(g, 'Exp', x!), one), g.splat(SELU_SCALEALPHA))
  return where(g, binary(g, 'GreaterOrEqual', x!, g.splat(0)), positive, negative)
}

const leakyRelu: Lowering<{ alpha: number }> = (g, { x }, { alpha }) =>
  unary(g, 'LeakyRelu', x!, { alpha: { float: alpha } })

const prelu: Lowering = (g, { x, alpha }) =>
  where(g, binary(g, 'Less', x!, g.splat(0)), binary(g, 'Mul', x!, alpha!), x!)

const softmax: Lowering<{ dim: number }> = (g, { logits }, { dim }) =>
  g.op('Softmax', [logits!], { type: 'float32', shape: logits!.shape }, { axis: dim })

const logSoftmax: Lowering<{ axis: number }> = (g, { logits }, { axis }) =>
  g.op('LogSoftmax', [logits!], { type: 'float32', shape: logits!.shape }, { axis })

/** Inference form: moments are given. */
const batchNorm: Lowering<{ varianceEpsilon: number }> = (g, operands, { varianceEpsilon }) => {
  const { x, mean, variance, scale, offset } = operands
  const std = unary(g, 'Sqrt', binary(g, 'Add', variance!, g.splat(varianceEpsilon)))
  const inverse = unary(g, 'Reciprocal', std)
  const factor = scale === undefined ? inverse : binary(g, 'Mul', inverse, scale)
  const normalised = binary(g, 'Mul', binary(g, 'Sub', x!, mean!), factor)
  return offset === undefined ? normalised : binary(g, 'Add', normalised, offset)
}

const COUNTING: Lowerings = {
  Relu: (g, { x }) => unary(g, 'Relu', x!),
  Relu6: (g, { x }) => clip(g, x!, 0, 6),
  LeakyRelu: throughFloat(leakyRelu as Lowering, false),
  Prelu: throughFloat(prelu, false),
  Elu: (g, { x }) => unary(g, 'Elu', x!),
  EluGrad: eluGrad,
  Selu: throughFloat(selu, true),
  Sigmoid: (g, { x }) => unary(g, 'Sigmoid', x!),
  Softplus: throughFloat((g, { x }) => unary(g, 'Softplus', x!), true),
  // The runtime's is 1 + 2^-23 near 8.43.
  Tanh: (g, { x }) => clip(g, unary(g, 'Tanh', x!), -1, 1),
  Step: step,
  ClipByValue: (g, { x }, attributes: { clipValueMin: number; clipValueMax: number }) =>
    clip(g, x!, attributes.clipValueMin, attributes.clipValueMax),
  Softmax: softmax,
  LogSoftmax: logSoftmax,
  FusedBatchNorm: batchNorm,
}

export const ACTIVATIONS: Lowerings = mapLowerings(COUNTING, countingBooleans)
