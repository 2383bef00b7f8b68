import { tf } from '../../tf.ts'
import { matMul } from '../matmul.ts'
import type { Graph, Value } from '../graph.ts'
import { blockedConvolution, blockedFilterGradient, blockedInputGradient } from '../blocked.ts'
import { reshape } from '../movement.ts'
import type { Window } from '../windows.ts'
import { patches, scatterPatches } from '../windows.ts'
import type { Lowering, Lowerings } from './lowering.ts'
import { unsupported } from './lowering.ts'

type Shape4 = [number, number, number, number]
type ConvInfo = tf.backend_util.Conv2DInfo

/** The window of a TF.js convolution or pooling over NHWC images. */
export function windowOf(info: ConvInfo): Window {
  return {
    inHeight: info.inHeight,
    inWidth: info.inWidth,
    outHeight: info.outHeight,
    outWidth: info.outWidth,
    height: info.filterHeight,
    width: info.filterWidth,
    strideHeight: info.strideHeight,
    strideWidth: info.strideWidth,
    dilationHeight: info.dilationHeight,
    dilationWidth: info.dilationWidth,
    padTop: info.padInfo.top,
    padLeft: info.padInfo.left,
  }
}

interface ConvAttributes extends Omit<tf.Conv2DAttrs, 'dilations'> {
  readonly dilations?: [number, number] | number
}

function convInfo(
  kernel: string,
  input: readonly number[],
  filter: readonly number[],
  attributes: ConvAttributes,
): ConvInfo {
  const { strides, pad, dataFormat, dilations = 1, dimRoundingMode } = attributes
  if (dataFormat !== 'NHWC') throw unsupported(kernel, dataFormat)
  return tf.backend_util.computeConv2DInfo(
    input as Shape4,
    filter as Shape4,
    strides,
    dilations,
    pad,
    dimRoundingMode,
    false,
    'channelsLast',
  )
}

/** Patches as the rows of a matrix: [B * positions, taps * C]. */
function patchMatrix(g: Graph, x: Value, info: ConvInfo): Value {
  const rows = info.batchSize * info.outHeight * info.outWidth
  return reshape(g, patches(g, x, windowOf(info)), [rows, info.filterHeight * info.filterWidth * info.inChannels])
}

const conv2d: Lowering<ConvAttributes> = (g, { x, filter }, attributes) => {
  const info = convInfo('Conv2D', x!.shape, filter!.shape, attributes)
  const blocked = blockedConvolution(g, x!, filter!, windowOf(info))
  if (blocked !== undefined) return blocked
  const matrix = reshape(g, filter!, [info.filterHeight * info.filterWidth * info.inChannels, info.outChannels])
  return reshape(g, matMul(g, patchMatrix(g, x!, info), matrix, false, false), info.outShape)
}

const conv2dBackpropFilter: Lowering<tf.Conv2DBackpropFilterAttrs> = (g, { x, dy }, attributes) => {
  const info = convInfo('Conv2DBackpropFilter', x!.shape, attributes.filterShape, attributes)
  const blocked = blockedFilterGradient(g, x!, dy!, windowOf(info))
  if (blocked !== undefined) return blocked
  const flat = reshape(g, dy!, [info.batchSize * info.outHeight * info.outWidth, info.outChannels])
  return reshape(g, matMul(g, patchMatrix(g, x!, info), flat, true, false), info.filterShape)
}

/** The gradient of a convolution's input, and the transposed convolution itself. */
const conv2dBackpropInput: Lowering<tf.Conv2DBackpropInputAttrs> = (g, { dy, filter }, attributes) => {
  const info = convInfo('Conv2DBackpropInput', attributes.inputShape, filter!.shape, attributes)
  const window = windowOf(info)
  return blockedInputGradient(g, dy!, filter!, window) ?? scatterPatches(g, dy!, filter!, window)
}

export const CONVOLUTION: Lowerings = {
  Conv2D: conv2d,
  Conv2DBackpropFilter: conv2dBackpropFilter,
  Conv2DBackpropInput: conv2dBackpropInput,
}
