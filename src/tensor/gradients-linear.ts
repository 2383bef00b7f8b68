import type { GradConfig, NamedAttrMap, Tensor } from '@tensorflow/tfjs-core'
import { broadcast_util, engine, matMul, pad, registerGradient, reshape, slice, sum } from '@tensorflow/tfjs-core'

/** Gradients of products: matrices whose leading axes were broadcast, and convolutions with holes, which TF.js refuses. */
export function registerLinearGradients(): void {
  registerGradient(BATCH_MAT_MUL)
  registerGradient(CONV_2D)
  registerGradient(CONV_2D_BACKPROP_FILTER)
}

/** `gradient` summed over leading axes along which an operand of `shape` was broadcast. */
function sumToBatch(gradient: Tensor, shape: number[]): Tensor {
  const axes = broadcast_util.getReductionAxes(shape.slice(0, -2), gradient.shape.slice(0, -2))
  return axes.length > 0 ? reshape(sum(gradient, axes), shape) : reshape(gradient, shape)
}

const BATCH_MAT_MUL: GradConfig = {
  kernelName: 'BatchMatMul',
  inputsToSave: ['a', 'b'],
  gradFunc: (dy, saved, attributes) => {
    const [a, b] = saved as [Tensor, Tensor]
    const { transposeA, transposeB } = attributes as NamedAttrMap & { transposeA: boolean; transposeB: boolean }
    const d = dy as Tensor
    return {
      a: () => sumToBatch(transposeA ? matMul(b, d, transposeB, true) : matMul(d, b, false, !transposeB), a.shape),
      b: () => sumToBatch(transposeB ? matMul(d, a, true, transposeA) : matMul(a, d, !transposeA, false), b.shape),
    }
  },
}

interface ConvAttributes extends NamedAttrMap {
  readonly strides: number[]
  readonly pad: number | string
  readonly dataFormat: string
  readonly dimRoundingMode: string
  readonly dilations: [number, number] | number
}

type Pair = readonly [number, number]

/** A filter [H, W, I, O] with zeros between its taps, which a convolution without holes uses alike. */
function spread(filter: Tensor, [rows, columns]: Pair): Tensor {
  if (rows === 1 && columns === 1) return filter
  const [height, width, ...channels] = filter.shape as [number, number, number, number]
  const size = channels[0] * channels[1]
  const apart = reshape(filter, [height, 1, width, 1, size])
  const filled = pad(apart, [
    [0, 0],
    [0, rows - 1],
    [0, 0],
    [0, columns - 1],
    [0, 0],
  ])
  const [spreadHeight, spreadWidth] = spreadSize(filter.shape, [rows, columns])
  const whole = reshape(filled, [height * rows, width * columns, ...channels])
  return slice(whole, [0, 0, 0, 0], [spreadHeight, spreadWidth, ...channels])
}

function spreadSize(shape: readonly number[], [rows, columns]: Pair): Pair {
  return [(shape[0]! - 1) * rows + 1, (shape[1]! - 1) * columns + 1]
}

/** The taps of a filter that was {@link spread}. */
function gathered(filter: Tensor, shape: number[], [rows, columns]: Pair): Tensor {
  if (rows === 1 && columns === 1) return filter
  const [height, width, ...channels] = shape as [number, number, number, number]
  const size = channels[0] * channels[1]
  const whole = pad(filter, [
    [0, rows - 1],
    [0, columns - 1],
    [0, 0],
    [0, 0],
  ])
  const apart = reshape(whole, [height, rows, width, columns, size])
  return reshape(slice(apart, [0, 0, 0, 0, 0], [height, 1, width, 1, size]), shape)
}

function backpropInput(dy: Tensor, filter: Tensor, inputShape: number[], attributes: ConvAttributes): Tensor {
  const { strides, pad: padding, dataFormat, dimRoundingMode } = attributes
  const kernelAttributes = { strides, pad: padding, dataFormat, dimRoundingMode, inputShape }
  return engine().runKernel('Conv2DBackpropInput', { dy, filter }, kernelAttributes)
}

function backpropFilter(x: Tensor, dy: Tensor, filterShape: number[], attributes: ConvAttributes): Tensor {
  const { strides, pad: padding, dataFormat, dimRoundingMode } = attributes
  const kernelAttributes = { strides, pad: padding, dataFormat, dimRoundingMode, filterShape }
  return engine().runKernel('Conv2DBackpropFilter', { x, dy }, kernelAttributes)
}

const CONV_2D: GradConfig = {
  kernelName: 'Conv2D',
  inputsToSave: ['x', 'filter'],
  gradFunc: (dy, saved, attrs) => {
    const [x, filter] = saved as [Tensor, Tensor]
    const attributes = attrs as ConvAttributes
    const { dilations } = attributes
    const holes = typeof dilations === 'number' ? ([dilations, dilations] as const) : dilations
    const [height, width] = spreadSize(filter.shape, holes)
    return {
      x: () => backpropInput(dy as Tensor, spread(filter, holes), x.shape, attributes),
      filter: () => {
        const shape = [height, width, ...filter.shape.slice(2)]
        return gathered(backpropFilter(x, dy as Tensor, shape, attributes), filter.shape, holes)
      },
    }
  },
}

/** The gradient of the filter is linear in the images and in dy: what a third derivative, or learning to learn, asks for. */
const CONV_2D_BACKPROP_FILTER: GradConfig = {
  kernelName: 'Conv2DBackpropFilter',
  inputsToSave: ['x', 'dy'],
  gradFunc: (gradient, saved, attrs) => {
    const [x, dy] = saved as [Tensor, Tensor]
    const attributes = attrs as ConvAttributes
    const filter = gradient as Tensor
    const { strides, pad: padding, dataFormat, dimRoundingMode } = attributes
    const forward = { strides, pad: padding, dataFormat, dimRoundingMode, dilations: [1, 1] }
    return {
      x: () => backpropInput(dy, filter, x.shape, attributes),
      dy: () => engine().runKernel('Conv2D', { x, filter }, forward),
    }
  },
}
